/*
 * Shows what a body becomes, for t/plans.t: reads a body from standard input, writes its verdict and its plan
 * under the settings of the environment as one JSON object, in lines that can be read and compared.
 *
 *   plan TOPIC RESOURCE SOURCE < BODY
 */
#include "plan/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (8u << 20)

static bool read_all(FILE *in, struct buf *out)
{
    char *room;
    size_t n;
    while ((room = buf_room(out, 65536)) && (n = fread(room, 1, 65536, in)) > 0)
        buf_wrote(out, n);
    return room != NULL;
}

/* What holds, by its name. */
static bool add_flags(json_t *shown, const struct plan *plan)
{
    const struct {
        const char *name;
        bool holds;
    } flags[] = {{"follows", plan->follows},
                 {"unmapped_paid", plan->unmapped_paid},
                 {"erased", plan->erased},
                 {"sub_order", plan->sub_order},
                 {"phone_shared", plan->phone_shared}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].holds && json_object_set_new(shown, flags[i].name, json_true()) != 0)
            return false;
    return true;
}

static bool add_texts(json_t *shown, const struct plan *plan)
{
    const struct {
        const char *name, *text;
    } texts[] = {{"standin_name", plan->standin_name},
                 {"amount_note", plan->amount_note},
                 {"email_left_out", plan->email_left_out}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i].text && json_object_set_new(shown, texts[i].name, json_string(texts[i].text)) != 0)
            return false;
    return true;
}

static json_t *plan_as_json(const struct plan *plan)
{
    json_t *shown =
        json_pack("{ss ss ss sb sI sI sI sO* sO* sO* sO* ss* ss ss}", "key", plan->key, "number",
                  plan->number, "outcome", outcome_name(plan->outcome), "status_only", plan->status_only,
                  "created_s", (json_int_t)plan->created_s, "modified_s", (json_int_t)plan->modified_s,
                  "sale_s", (json_int_t)plan->sale_s, "contact", plan->contact, "tags", plan->tags,
                  "tags_remove", plan->tags_remove, "opportunity", plan->opportunity, "note", plan->note,
                  "source", plan->source, "phone_left_out", plan->phone_left_out);
    if (shown && add_flags(shown, plan) && add_texts(shown, plan))
        return shown;
    json_decref(shown);
    return NULL;
}

static json_t *planned(const struct order *order, const char *source)
{
    static const unsigned char hash_key[DIGEST_LEN];
    struct config config;
    struct config_report report;
    struct plan plan;
    struct error e = ERROR_NONE;
    if (!config_load(&config, &report))
        for (size_t i = 0; i < report.problem_count; i++)
            fprintf(stderr, "%s\n", report.problem[i]);
    enum plan_result result = plan_make(order, source, &config, hash_key, &plan, &e);
    json_t *shown = result == PLAN_OK ? plan_as_json(&plan) : json_pack("{ss}", "error", e.text);
    plan_free(&plan);
    config_report_free(&report);
    config_free(&config);
    return shown;
}

int main(int argc, char **argv)
{
    static const char *const kind[] = {"order", "deleted order", "bad JSON", "no order"};
    struct order_headers headers = {argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "",
                                    argc > 3 ? argv[3] : ""};
    struct buf body;
    struct order order;
    buf_init(&body, BODY_MAX);
    if (!read_all(stdin, &body)) {
        fputs("plan: a body of more than 8 MiB\n", stderr);
        return 1;
    }
    struct order_verdict verdict = order_parse(body.data, body.len, &headers, &order);
    bool is_order = verdict.kind == ORDER_FULL || verdict.kind == ORDER_DELETED;
    json_t *shown =
        is_order ? json_pack("{ss so}", "kind", kind[verdict.kind], "plan", planned(&order, headers.source))
                 : json_pack("{ss ss ss}", "kind", kind[verdict.kind], "reason", verdict.reason, "advice",
                             verdict.advice);
    int failed =
        !shown || json_dumpf(shown, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) || puts("") < 0;
    json_decref(shown);
    order_free(&order);
    buf_free(&body);
    return failed;
}
