/* No value becomes markup, and a form's field is what was typed, or nothing. */
#include "web/html.h"
#include "tap.h"
#include <string.h>

static void escapes(void)
{
    struct buf out;

    buf_init(&out, 200);
    html(&out, "<p title=\"%s\">%s %lld%%</p>", "\"><b>", "<script>'&", 42LL);
    is_str(out.data, "<p title=\"&quot;&gt;&lt;b&gt;\">&lt;script&gt;&#39;&amp; 42%</p>",
           "every value is escaped");
    buf_reset(&out);
    html(&out, "%s", "%s %lld");
    is_str(out.data, "%s %lld", "a value is no place for one");
    html(&out, "%s",
         "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "01234567890"
         "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "01234567890");
    ok(out.failed, "too much is no page");
    buf_free(&out);
}

static void field(const char *form, const char *name, const char *want)
{
    char out[12];
    bool found = form_field(form, strlen(form), name, out, sizeof out);

    ok(found == (want != NULL), "%s in '%s'", name, form);
    is_str(out, want ? want : "", "its value");
}

static void fields(void)
{
    field("a=1&b=2", "a", "1");
    field("a=1&b=2", "b", "2");
    field("a=1&b=2", "c", NULL);
    field("ba=1&a=2", "a", "2");
    field("ab=1", "a", NULL);
    field("a", "a", NULL);
    field("", "a", NULL);
    field("a=", "a", "");
    field("a=&b=1", "a", "");
    field("a=x+y%20z", "a", "x y z");
    field("a=%26%3D%2b", "a", "&=+");
    field("a=1&a=2", "a", "1");
    field("a=%", "a", NULL);
    field("a=%4", "a", NULL);
    field("a=%4&b=1", "a", NULL);
    field("a=%zz", "a", NULL);
    field("a=%00", "a", NULL);
    field("a=%0a", "a", NULL);
    field("a=x\ny", "a", NULL);
    field("a=%7F", "a", NULL);
    field("a=%C3%A4", "a", "\xc3\xa4");
    field("a=12345678901", "a", "12345678901");
    field("a=123456789012", "a", NULL);
}

int main(void)
{
    escapes();
    fields();
    return tap_done();
}
