// What pages do better with a script, and do without: copying, live filters, the reader's own time, passkeys. Nothing is stored.

const words = document.documentElement;

// Copy buttons are hidden until there is a script that makes them work.
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const from = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
    const text = from ? (from.value ?? from.textContent) : button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      field.setAttribute("readonly", "");
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.textContent = "✓ " + words.dataset.copied;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// A secret is selected whole by one click.
for (const field of document.querySelectorAll("[data-select]")) {
  field.addEventListener("focus", () => field.select());
}

// A page with a secret is not kept for going back to.
addEventListener("pageshow", (event) => {
  if (event.persisted && document.getElementById("secret")) location.reload();
});

// Times are told in UTC; beside them stands the reader's own.
for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  if (!isNaN(moment)) {
    const own = new Intl.DateTimeFormat(words.lang, { dateStyle: "medium", timeStyle: "short" }).format(moment);
    time.title = `${own} · ${time.title}`;
  }
}

// A menu closes when something else is meant.
const menus = [...document.querySelectorAll("details.menu")];
document.addEventListener("click", (event) => {
  for (const menu of menus) if (menu.open && !menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus) {
    if (!menu.open) continue;
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Permissions: a filter, a button for what only reads, and what is ticked in words.
for (const picker of document.querySelectorAll(".picker")) {
  const boxes = [...picker.querySelectorAll("input[type=checkbox]")];
  const summary = picker.querySelector(".summary");
  const tell = () => {
    const ticked = boxes.filter((box) => box.checked).map((box) => box.dataset.scope);
    summary.textContent = ticked.length ? `${picker.dataset.summary} ${ticked.join(", ")}` : picker.dataset.summaryNone;
  };
  summary.hidden = false;
  picker.addEventListener("change", tell);
  tell();
  const reads = (box) => /(^|[.:_-])(read|list|get|view)([.:_-]|$)/.test(box.dataset.scope);
  const tools = picker.querySelector(".tools");
  if (boxes.some(reads) && !boxes.every(reads)) {
    tools.hidden = false;
    tools.querySelector("[data-read-only]").addEventListener("click", () => {
      for (const box of boxes) box.checked = reads(box);
      tell();
    });
  }
  const live = picker.querySelector(".live");
  if (live) {
    live.hidden = false;
    live.querySelector("input").addEventListener("input", (event) => {
      const wanted = event.target.value.trim().toLowerCase();
      for (const group of picker.querySelectorAll(".resource")) {
        let any = false;
        const named = group.querySelector(".title").textContent.toLowerCase().includes(wanted);
        for (const item of group.querySelectorAll("li")) {
          const fits = named || item.textContent.toLowerCase().includes(wanted);
          item.hidden = !fits;
          any ||= fits;
        }
        group.hidden = !any;
      }
    });
  }
}

// Passkeys (WebAuthn level 3): the page holds the challenge, the answer goes back in the form.
for (const form of document.querySelectorAll("form[data-script^=passkey]")) {
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    const answer = form.elements.answer;
    if (answer.value) return;
    event.preventDefault();
    const values = JSON.parse(form.dataset.values);
    try {
      const credential = form.dataset.script === "passkey-create"
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(values) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(values) });
      answer.value = JSON.stringify(credential.toJSON());
      form.requestSubmit();
    } catch (error) {
      // Cancelled by the reader, or nothing fits: the page stays as it is.
      if (error.name !== "NotAllowedError" && error.name !== "AbortError") throw error;
    }
  });
}
