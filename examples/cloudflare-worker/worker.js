// Receives the payment events of your checkout (Standard Webhooks) in a Cloudflare Worker.
//
//   checkout merchant set 1001 --notify-url https://events.example.workers.dev/
//   npx wrangler secret put CHECKOUT_KEY        the merchant's key: checkout merchant show 1001
//   npx wrangler kv namespace create ORDERS     where the events that came are kept

const TOLERANCE_S = 300

export default {
  async fetch(request, env, context) {
    if (request.method !== "POST") return new Response("POST only", { status: 405 })
    const body = await request.text()
    if (!(await isSigned(request.headers, body, env.CHECKOUT_KEY))) return new Response("bad signature", { status: 401 })
    const { type, data } = JSON.parse(body)
    if (type === "order.paid") await paid(data, request.headers.get("webhook-id"), env)
    return new Response(null, { status: 204 }) // any 2xx; everything else is tried again for three days
  },
}

// The same event can come twice, under the same id. Compare product and price with your own before you hand over.
// The buyer's page is https://pay.example.com/receipt/ + order.receipt.
async function paid(order, id, env) {
  if (env.ORDERS && (await env.ORDERS.get(id))) return
  console.log("paid", order.number, order.product, order.ref, order.price.amount)
  if (env.ORDERS) await env.ORDERS.put(id, JSON.stringify(order))
}

async function isSigned(headers, body, key) {
  const [id, at, given] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers.get(name) || "")
  if (!/^\d{1,12}$/.test(at) || Math.abs(Date.now() / 1000 - at) > TOLERANCE_S) return false
  const text = new TextEncoder()
  const hmac = { name: "HMAC", hash: "SHA-256" }
  const secret = await crypto.subtle.importKey("raw", text.encode(key), hmac, false, ["verify"])
  for (const one of given.split(" ")) {
    if (!/^v1,[\w+/]{43}=$/.test(one)) continue
    const signature = Uint8Array.from(atob(one.slice(3)), (c) => c.charCodeAt())
    if (await crypto.subtle.verify("HMAC", secret, signature, text.encode(`${id}.${at}.${body}`))) return true
  }
  return false
}
