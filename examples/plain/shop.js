// Opens the checkout from your own code, and shows what came of it.
const output = document.querySelector("output")

document.querySelector("#script").onclick = async () => {
  const { state, receipt } = await Checkout.open({ product: "ebook", ref: "reader-42" })
  output.textContent = state === "paid" ? "Thank you! Receipt " + receipt : "Nothing was bought."
}

// Every way of opening it tells the page; preventDefault() on "paid" keeps the buyer here.
document.addEventListener("checkout:paid", (event) => console.log("paid", event.detail))
