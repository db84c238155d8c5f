// Starts the pipeline over one image; the page then changes by itself.

document.getElementById("content").addEventListener("click", async (event) => {
  const button = event.target.closest("[data-run]");
  if (button === null) {
    return;
  }
  button.disabled = true;
  const told = document.getElementById("run-again-told");
  try {
    const answer = await fetch("/api/batches", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ image_keys: [button.dataset.run] }),
    });
    const said = await answer.json();
    told.textContent = answer.ok ? "A run has been asked for." : said.detail;
    button.disabled = answer.ok;
  } catch {
    told.textContent = "The service cannot be reached.";
    button.disabled = false;
  }
});
