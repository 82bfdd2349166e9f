/* SPDX-License-Identifier: BSD-3-Clause */
#include "evidence_text.h"

#include <math.h>

#include "event_text.h"

const char *evidence_text_name(enum evidence_kind kind)
{
    static const char *const names[EVIDENCE__COUNT] = {
#define EVIDENCE_NAME(name, published) published,
        EVIDENCE_KINDS(EVIDENCE_NAME)
#undef EVIDENCE_NAME
    };
    return names[kind];
}

/* How the values of a kind are written, with one %s for the number. */
static const struct {
    const char *text;
    double times;
    int decimals;
    const char *unit;
} says[EVIDENCE__COUNT] = {
    [EVIDENCE_INBOUND_PERSISTS] = {"the outside keeps knocking: %s %% of the usual flow starts towards it",
                                   100, 0, " %"},
    [EVIDENCE_INBOUND_CEASED] =
        {"the outside has stopped knocking: %s %% of the usual flow starts towards it", 100, 0, " %"},
    [EVIDENCE_KNOCKS_ANSWERED] = {"who still knocks is answered: %s %% of the usual share of answers", 100, 0,
                                  " %"},
    [EVIDENCE_INBOUND_SURGE] = {"a surge led into it: %s times the usual traffic towards it", 1, 1, " times"},
    [EVIDENCE_REFLECTION] = {"forged or reflected traffic led into it: %s packets a second", 1, 1,
                             " a second"},
    [EVIDENCE_LOSS_RISING] = {"losses rose before it: %s times the usual share of segments sent again", 1, 1,
                              " times"},
    [EVIDENCE_DELAY_RISING] = {"round trips grew before it: %s times the usual", 1, 1, " times"},
    [EVIDENCE_SERVICES_FIRST] = {"single services failed before the rest: %s", 1, 0, ""},
    [EVIDENCE_RAMP] = {"it had begun to fail before: %s %% of the expected life", 100, 0, " %"},
    [EVIDENCE_CLEAN_STEP] = {"it fell in one step: %s %% of the expected life until then", 100, 0, " %"},
    [EVIDENCE_ALL_PATHS] = {"all paths are down together: %s", 1, 0, ""},
    [EVIDENCE_ONLY_PATH] = {"of its paths only %s crosses this tap: the others may be up", 1, 0, ""},
    [EVIDENCE_ONE_PATH] = {"paths that carry on: %s", 1, 0, ""},
    [EVIDENCE_OTHERS_UP] = {"prefixes or services that carry on: %s", 1, 0, ""},
    [EVIDENCE_ROUTE_CHANGED] = {"what is left comes another way: its round trips differ by %s ms", 1, 0,
                                " ms"},
    [EVIDENCE_ICMP_NO_ROUTE] = {"routers know no way to it: %s reports a minute", 1, 1, " a minute"},
    [EVIDENCE_ICMP_NO_HOST] = {"routers reach its door, but no host: %s reports a minute", 1, 1, " a minute"},
    [EVIDENCE_ICMP_PROHIBITED] = {"routers may not pass packets to it: %s reports a minute", 1, 1,
                                  " a minute"},
    [EVIDENCE_ICMP_EXCEEDED] = {"packets to it go in circles: %s reports a minute", 1, 1, " a minute"},
    [EVIDENCE_ROUTERS_UNHEARD] = {"what routers report runs the other way and is not seen here", 1, 0, NULL},
    [EVIDENCE_INBOUND_UNSEEN] = {"whether the outside knocks is not seen here", 1, 0, NULL},
    [EVIDENCE_NAME_SERVERS] = {"name servers down: %s", 1, 0, ""},
};

void evidence_text_say(const struct event_evidence *evidence, struct text *out)
{
    if (evidence->kind == EVIDENCE_NO_CONTROL) {
        text_put(out, "the capture holds watched traffic only: there is nothing to compare with");
        return;
    }
    const char *text = says[evidence->kind].text;
    for (; *text != '\0'; text++)
        if (text[0] == '%' && text[1] == 's') {
            text_format(out, "%.*f", says[evidence->kind].decimals,
                        says[evidence->kind].times * evidence->value);
            text++;
        } else if (text[0] == '%' && text[1] == '%') {
            text_put(out, "%");
            text++;
        } else {
            text_format(out, "%c", *text);
        }
}

void evidence_text_value(enum evidence_kind kind, double value, struct text *out)
{
    if (says[kind].unit != NULL && value >= 0)
        text_format(out, "%.*f%s", says[kind].decimals, says[kind].times * value, says[kind].unit);
}

void evidence_text_weight(const struct event_evidence *evidence, struct text *out)
{
    double weight = fabs(evidence->weight);
    if (weight < 0.05) {
        text_put(out, "says little by itself");
        return;
    }
    text_format(out, "%s %s %s",
                weight >= 2     ? "clearly"
                : weight >= 0.8 ? "somewhat"
                                : "slightly",
                evidence->weight < 0 ? "against" : "for", event_text_verdict(evidence->about));
}
