"use strict";
// Fetches the state of the study; the last one stays where the server or the study is gone.

const message = document.getElementById("message");
let known = "";

async function follow() {
  let pause = 2000;
  try {
    const answer = await fetch("/state");
    const state = await answer.json();
    if (state.html && state.html !== known) {
      document.getElementById("state").innerHTML = state.html; // escaped by the server
      known = state.html;
    }
    const time = new Date().toLocaleTimeString();
    message.textContent = state.error ?? (state.finished ? `The study is finished. Read at ${time}.` : `Read at ${time}.`);
    if (state.finished) pause = 15000;
  } catch {
    message.textContent = "caveat watch has ended; this is what it last showed.";
    pause = 5000;
  }
  setTimeout(follow, pause);
}
follow();
