// Pages work without this. With it a filter applies at once, and new alerts are offered.
"use strict";

for (const form of document.querySelectorAll("form[data-submits]")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) {
      if (field.name && field.value === "") field.disabled = true; // short addresses
    }
  });
  for (const select of form.querySelectorAll("select")) {
    select.addEventListener("change", () => form.requestSubmit());
  }
}
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[data-submits] [disabled]")) field.disabled = false;
});

const news = document.getElementById("news");
if (news && "EventSource" in window) {
  const seen = new Set();
  let stream = null;
  const tell = (message) => {
    const alert = JSON.parse(message.data);
    if (alert.transition !== "opened" || seen.has(alert.alert_id)) return;
    seen.add(alert.alert_id);
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = seen.size === 1 ? "1 new alert: show it" : `${seen.size} new alerts: show them`;
    news.replaceChildren(link);
  };
  // A worker holds few streams open: only a page that somebody looks at has one.
  const follow = () => {
    if (document.hidden) {
      if (stream) stream.close();
      stream = null;
    } else if (!stream) {
      stream = new EventSource(news.dataset.stream);
      stream.addEventListener("alert", tell);
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
