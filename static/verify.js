/* Checkout: checks in a static page that the co_… parameters of a return were signed by your checkout. MIT
 *
 *   <script src="https://pay.example.com/static/verify.js"></script>
 *   const paid = await verifyCheckout({ product: "ebook" })   // { order, product, ref, amount (fen), at } or null
 *
 * It proves to this page that somebody paid within the last 15 minutes. A server listens to the callback instead. */
(() => {
  const base = new URL("..", document.currentScript.src)
  const NAMES = ["amount", "kid", "order", "product", "ref", "state", "ts"]
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt())

  window.verifyCheckout = async (expected = {}, url = location.href) => {
    const values = new URLSearchParams(url.slice(url.indexOf("co_order=")))
    const [amount, kid, order, product, ref, state, ts] = NAMES.map((name) => values.get("co_" + name))
    const found = { order, product, ref, amount: +amount, at: +ts }
    const sig = values.get("co_sig")
    if (state !== "paid" || !/^[\w-]{86}$/.test(sig) || !/^\d+$/.test(ts) || Math.abs(Date.now() / 1000 - ts) > 900) return null
    for (const name in expected) if (found[name] !== expected[name]) return null
    const { keys } = await (await fetch(new URL(".well-known/checkout-keys.json", base))).json()
    const jwk = keys.find((key) => key.kid === kid)
    if (!jwk) return null
    const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
    const key = await crypto.subtle.importKey("jwk", jwk, ES256, false, ["verify"])
    const encoded = (name) => encodeURIComponent(values.get("co_" + name)) // a ref can hold "&co_product="
    const signed = new TextEncoder().encode(NAMES.map((name) => `co_${name}=${encoded(name)}`).join("&"))
    return (await crypto.subtle.verify(ES256, key, bytes(sig), signed)) ? found : null
  }
})()
