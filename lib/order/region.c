#include "order/region.h"
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* ISO 3166-2, and the codes of the United States' post for its armed forces. */
static const struct {
    const char *country, *code, *name;
} table[] = {
    {"AU", "ACT", "Australian Capital Territory"},
    {"AU", "NSW", "New South Wales"},
    {"AU", "NT", "Northern Territory"},
    {"AU", "QLD", "Queensland"},
    {"AU", "SA", "South Australia"},
    {"AU", "TAS", "Tasmania"},
    {"AU", "VIC", "Victoria"},
    {"AU", "WA", "Western Australia"},
    {"CA", "AB", "Alberta"},
    {"CA", "BC", "British Columbia"},
    {"CA", "MB", "Manitoba"},
    {"CA", "NB", "New Brunswick"},
    {"CA", "NL", "Newfoundland and Labrador"},
    {"CA", "NS", "Nova Scotia"},
    {"CA", "NT", "Northwest Territories"},
    {"CA", "NU", "Nunavut"},
    {"CA", "ON", "Ontario"},
    {"CA", "PE", "Prince Edward Island"},
    {"CA", "QC", "Quebec"},
    {"CA", "SK", "Saskatchewan"},
    {"CA", "YT", "Yukon"},
    {"US", "AA", "Armed Forces (AA)"},
    {"US", "AE", "Armed Forces (AE)"},
    {"US", "AK", "Alaska"},
    {"US", "AL", "Alabama"},
    {"US", "AP", "Armed Forces (AP)"},
    {"US", "AR", "Arkansas"},
    {"US", "AZ", "Arizona"},
    {"US", "CA", "California"},
    {"US", "CO", "Colorado"},
    {"US", "CT", "Connecticut"},
    {"US", "DC", "District of Columbia"},
    {"US", "DE", "Delaware"},
    {"US", "FL", "Florida"},
    {"US", "GA", "Georgia"},
    {"US", "HI", "Hawaii"},
    {"US", "IA", "Iowa"},
    {"US", "ID", "Idaho"},
    {"US", "IL", "Illinois"},
    {"US", "IN", "Indiana"},
    {"US", "KS", "Kansas"},
    {"US", "KY", "Kentucky"},
    {"US", "LA", "Louisiana"},
    {"US", "MA", "Massachusetts"},
    {"US", "MD", "Maryland"},
    {"US", "ME", "Maine"},
    {"US", "MI", "Michigan"},
    {"US", "MN", "Minnesota"},
    {"US", "MO", "Missouri"},
    {"US", "MS", "Mississippi"},
    {"US", "MT", "Montana"},
    {"US", "NC", "North Carolina"},
    {"US", "ND", "North Dakota"},
    {"US", "NE", "Nebraska"},
    {"US", "NH", "New Hampshire"},
    {"US", "NJ", "New Jersey"},
    {"US", "NM", "New Mexico"},
    {"US", "NV", "Nevada"},
    {"US", "NY", "New York"},
    {"US", "OH", "Ohio"},
    {"US", "OK", "Oklahoma"},
    {"US", "OR", "Oregon"},
    {"US", "PA", "Pennsylvania"},
    {"US", "RI", "Rhode Island"},
    {"US", "SC", "South Carolina"},
    {"US", "SD", "South Dakota"},
    {"US", "TN", "Tennessee"},
    {"US", "TX", "Texas"},
    {"US", "UT", "Utah"},
    {"US", "VA", "Virginia"},
    {"US", "VT", "Vermont"},
    {"US", "WA", "Washington"},
    {"US", "WI", "Wisconsin"},
    {"US", "WV", "West Virginia"},
    {"US", "WY", "Wyoming"},
};

const char *region_name(const char *country, const char *code)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].country, country) && !strcasecmp(table[i].code, code))
            return table[i].name;
    return code;
}
