// Exchanges a token for the session cookie, which no script can read.

const form = document.getElementById("sign-in");
const problem = document.getElementById("sign-in-problem");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  const token = document.getElementById("token").value;
  try {
    const answer = await fetch("/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) {
      location.assign("/");
    } else {
      problem.textContent = (await answer.json()).detail;
    }
  } catch {
    problem.textContent = "The service cannot be reached.";
  }
});
