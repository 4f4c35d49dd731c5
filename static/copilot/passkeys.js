// A passkey that was refused or put away is told on the page, not in the browser's console.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const note = document.querySelector("#passkey-error") ?? document.createElement("p");
  note.id = "passkey-error";
  note.className = "error";
  note.setAttribute("role", "alert");
  note.hidden = false;
  const {name} = event.detail.exception;
  note.textContent = name === "InvalidStateError"
    ? "This device holds a passkey of this account already."
    : `The passkey was not used (${name}). Try again, or use another way.`;
  if (!note.isConnected) document.querySelector("main h1").after(note);
});
