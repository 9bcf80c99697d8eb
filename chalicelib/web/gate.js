// Before anything else: whose token is this? An attacker who sends a link with the attacker's own token would otherwise
// be shown to a victim as the victim's product, and the victim's role would be made to answer to the attacker.

import { call, Problem } from "./api.js";
import { tellThatATokenIsWanted, tokenOf } from "./arrival.js";
import { freshId, h } from "./dom.js";
import { rich, t, time } from "./i18n.js";
import { banner, button, field, problemBox, setBusy } from "./parts.js";
import * as session from "./session.js";

/** Ask the service whose token this is; the answer is also all that pages need to know of the service. */
export const whose = (token) => call("GET", "v1/setup", { token });

function tokenForm(submitText, onToken, more) {
  const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true, name: "token" });
  const token = field({ label: t("token.label"), help: t("token.help"), control: input });
  const slot = h("div", {});
  const submit = button(submitText, null, { type: "submit", look: "primary" });
  const form = h("form", {
    novalidate: true,
    onsubmit: async (event) => {
      event.preventDefault();
      const text = tokenOf(input.value);
      token.show(text === null ? t("token.malformed") : null);
      if (text === null) return input.focus();
      setBusy(submit, true);
      slot.replaceChildren();
      try {
        await onToken(text, token.show);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (error.kind === "token") {
          token.show(t(error.code === "token_expired" ? "token.expired" : "token.refused"));
          input.focus();
        } else slot.replaceChildren(problemBox(error, { retry: () => form.requestSubmit() }));
      } finally {
        setBusy(submit, false);
      }
    },
  }, token.element, slot, h("p", { class: "actions" }, submit, more));
  return { form, input };
}

/** The page that asks for a token. `note` is the key of what is to be said first; `retry` asks again of the one that came. */
export function askPage({ note, problem, retry, onAnswer }) {
  const { form } = tokenForm(t("token.go"), async (token) => onAnswer(token, await whose(token)));
  return h("section", { class: "narrow" },
    h("h1", { tabindex: "-1" }, t("welcome.title")),
    h("p", { class: "lead" }, t("welcome.lead")),
    note && banner("warning", t(note), h("p", {}, t(`${note}.fix`))),
    problem && problemBox(problem, { retry }),
    form,
    h("details", { class: "explain" }, h("summary", {}, t("token.what")), h("p", {}, t("token.explained"))));
}

/** The page that names tenant and person of a token, and asks whether to go on. */
export function confirmPage({ answer, fromLink, onYes, onNo }) {
  const { tenant, subject, expires_at: until } = answer.caller;
  return h("section", { class: "narrow" },
    h("h1", { tabindex: "-1" }, t("confirm.title")),
    h("p", { class: "lead" }, t("confirm.lead")),
    h("dl", { class: "identity" },
      h("dt", {}, t("confirm.tenant")), h("dd", { id: "tenant" }, tenant),
      h("dt", {}, t("confirm.person")), h("dd", { id: "person" }, subject),
      h("dt", {}, t("confirm.until")), h("dd", {}, time(until))),
    banner("warning", t(fromLink ? "confirm.link" : "confirm.meaning"),
      h("p", {}, rich("confirm.warning", { tenant: h("strong", {}, tenant) }))),
    h("p", { class: "actions" },
      button(t("confirm.yes", { tenant }), onYes, { look: "primary" }),
      button(t("confirm.no"), onNo)));
}

let open = null;

/** Say that a token of the same person has come from elsewhere. */
export function renewed() {
  open?.close("renewed");
}

/** Ask for a new token over the page as it is; resolves when one of the same person is there. */
export function askForRenewal() {
  return new Promise((resolve, reject) => {
    const titleId = freshId();
    const { form, input } = tokenForm(t("renewal.go"), async (token, show) => {
      const answer = await whose(token);
      if (!session.isSamePerson(answer.caller)) {
        show(t("renewal.other", { tenant: answer.caller.tenant, person: answer.caller.subject }));
        input.focus();
        return;
      }
      session.renewWith(token);
      dialog.close("renewed");
    }, button(t("renewal.later"), () => dialog.close("later")));
    const { tenant, subject } = session.confirmed();
    const dialog = h("dialog", {
      "aria-labelledby": titleId,
      onclose: () => {
        open = null;
        dialog.remove();
        if (dialog.returnValue === "renewed") resolve();
        else reject(new Problem("token"));
      },
    }, h("h2", { id: titleId }, t("renewal.title")), h("p", {}, t("renewal.text", { tenant, person: subject })), form);
    open = dialog;
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
    tellThatATokenIsWanted();
  });
}
