// Says thank you only when the parameters of the return were signed by your checkout within the last 15 minutes.
verifyCheckout({ product: "ebook" }).then((paid) => {
  document.querySelector("h1").textContent = paid ? "谢谢，已收到付款" : "没有看到付款"
})
