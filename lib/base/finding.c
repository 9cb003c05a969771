#include "base/finding.h"
#include "base/text.h"
#include <stdlib.h>

#define TEXT_MAX 2000 /* bytes of one text */

static const char *const level_name[] = {"ok", "warn", "FAIL"};

static void free_finding(struct finding *f)
{
    free(f->what);
    free(f->means);
    free(f->mend);
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        free_finding(&findings->item[i]);
    free(findings->item);
    *findings = (struct findings){0};
}

void findings_add(struct findings *findings, enum finding_level level, const char *id, const char *means,
                  const char *mend, const char *what, ...)
{
    struct finding *more = realloc(findings->item, (findings->count + 1) * sizeof *more);
    char text[TEXT_MAX];
    va_list args;

    if (more)
        findings->item = more;
    va_start(args, what);
    (void)text_vformat(text, sizeof text, what, args);
    va_end(args);
    struct finding f = {.level = level,
                        .area = findings->area,
                        .id = id,
                        .what = text_tidy(text, TEXT_MAX),
                        .means = text_tidy(means, TEXT_MAX),
                        .mend = text_tidy(mend, TEXT_MAX)};
    if (more && f.what && f.means && f.mend) {
        more[findings->count++] = f;
    } else {
        free_finding(&f);
        findings->failed = true;
    }
}

size_t findings_count(const struct findings *findings, enum finding_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < findings->count; i++)
        n += findings->item[i].level == level;
    return n;
}

/* -- as text -- */

static bool print_remedy(const struct finding *f, struct buf *out)
{
    return buf_addf(out, "\n%s %s: %s\n", level_name[f->level], f->area, f->what) &&
           (!*f->means || buf_addf(out, "     orders:  %s\n", f->means)) &&
           (!*f->mend || buf_addf(out, "     to mend: %s\n", f->mend));
}

bool findings_print(const struct findings *findings, struct buf *out)
{
    size_t failures = findings_count(findings, FINDING_FAIL),
           warnings = findings_count(findings, FINDING_WARN);
    bool good = true;

    for (size_t i = 0; i < findings->count && good; i++) {
        const struct finding *f = &findings->item[i];
        good = *f->what ? buf_addf(out, "%-10s %-4s %s\n", f->area, level_name[f->level], f->what)
                        : buf_addf(out, "%-10s %s\n", f->area, level_name[f->level]);
    }
    for (enum finding_level level = FINDING_FAIL; level > FINDING_OK; level--)
        for (size_t i = 0; i < findings->count && good; i++)
            if (findings->item[i].level == level)
                good = print_remedy(&findings->item[i], out);
    if (findings->failed)
        good = good && buf_adds(out, "\nMemory ran out: some findings are missing.\n");
    if (!failures && !warnings)
        return good && buf_adds(out, "\nAll is well.\n");
    return good && buf_addf(out, "\n%zu failure%s, %zu warning%s\n", failures, failures == 1 ? "" : "s",
                            warnings, warnings == 1 ? "" : "s");
}

/* -- as JSON -- */

json_t *findings_json(const struct findings *findings)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < findings->count; i++) {
        const struct finding *f = &findings->item[i];
        json_t *one = json_pack("{ss ss ss so so so}", "area", f->area, "id", f->id, "level",
                                level_name[f->level], "what", json_from_text(f->what), "means",
                                json_from_text(f->means), "mend", json_from_text(f->mend));
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    size_t failures = findings_count(findings, FINDING_FAIL);
    return json_pack("{sb sI sI so*}", "ok", !failures && !findings->failed, "failures", (json_int_t)failures,
                     "warnings", (json_int_t)findings_count(findings, FINDING_WARN), "findings", list);
}
