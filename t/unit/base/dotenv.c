#include "base/dotenv.h"
#include "tap.h"
#include <string.h>

/* Everything that was said, as one text. */
struct heard {
    struct buf text;
};

static void take(void *context, const char *name, const char *value, int line)
{
    struct heard *heard = context;
    (void)buf_addf(&heard->text, "%d %s=[%s]\n", line, name, value);
}

static void complain(void *context, const char *name, int line, const char *what)
{
    struct heard *heard = context;
    (void)buf_addf(&heard->text, "%d %s: %s\n", line, name, what);
}

#define OPEN "the quote is not closed; a quote inside '...' is written '\\''"

static void parses(const char *text, const char *want, const char *what)
{
    struct heard heard;
    buf_init(&heard.text, 65536);
    ok(dotenv_parse(text, take, complain, &heard), "%s: parsed", what);
    is_str(heard.text.data, want, "%s", what);
    buf_free(&heard.text);
}

int main(void)
{
    parses("", "", "nothing");
    parses("A=1\nB=two words \n", "1 A=[1]\n2 B=[two words]\n", "bare values, trimmed");
    parses("A=x # y\n", "1 A=[x # y]\n", "a comment begins a line, nowhere else");
    parses("# A=1\n  # B=2\n\n C=3", "4 C=[3]\n", "comments and empty lines");
    parses("export A=1\r\nB=2\r\n", "1 A=[1]\n2 B=[2]\n", "export, and lines of Windows");
    parses("A=' #$`\"\\&<;> '\n", "1 A=[ #$`\"\\&<;> ]\n", "every byte in single quotes is itself");
    parses("A='it'\\''s'\n", "1 A=[it's]\n", "a quote in single quotes");
    parses("A=\"a \\\"b\\\" \\\\ \\$ \\x\"\n", "1 A=[a \"b\" \\ $ \\x]\n", "double quotes expand nothing");
    parses("A='one\ntwo'\nB=3\n", "1 A=[one\ntwo]\n3 B=[3]\n", "a value of two lines");
    parses("A='\xc3\xa9\xe2\x98\x95'\n", "1 A=[\xc3\xa9\xe2\x98\x95]\n", "UTF-8");
    parses("\xef\xbb\xbf"
           "A=1\n",
           "1 A=[1]\n", "an editor's byte order mark");
    parses("A=\nB=''\n", "1 A=[]\n2 B=[]\n", "empty values");
    parses("A='open\n", "1 A: " OPEN "\n", "an open quote");
    parses("A='open\nB=2\nC=x y\n", "1 A: " OPEN "\n2 B=[2]\n3 C=[x y]\n",
           "an open quote spoils its own line alone");
    parses("A='open\nB='2'\n", "1 A: " OPEN "\n2 B=[2]\n", "an open quote, and another one below");
    parses("A=\"open\n# it's\nB=\"2\" 3\n",
           "1 A: " OPEN
           "\n3 B: there is text behind the closing quote; put the whole value inside the quotes\n",
           "an open double quote");
    parses("A='x' y\nB=2\n",
           "1 A: there is text behind the closing quote; put the whole value inside the quotes\n2 B=[2]\n",
           "text behind a quote");
    parses("A='x'y\n", "1 A: there is text beside the quotes; put the whole value inside them\n",
           "text beside a quote");
    parses("just words\n1A=2\nB=3\n",
           "1 just: this is no NAME=value line; a comment begins with #\n2 : this is no NAME=value line; a "
           "comment "
           "begins with #\n3 B=[3]\n",
           "lines that are none");
    parses("A =1\nB\t= 2\nC: 3\nD= 4\n",
           "1 A: there is a blank before the =; write NAME=value\n2 B: there is a blank before the =; write "
           "NAME=value\n3 C: this is no NAME=value line; a comment begins with #\n4 D=[4]\n",
           "blanks around the sign");
    return tap_done();
}
