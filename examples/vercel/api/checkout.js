// Receives the payment events of your checkout (Standard Webhooks) in a Vercel function: /api/checkout.
//
//   checkout merchant set 1001 --notify-url https://example.vercel.app/api/checkout
//   vercel env add CHECKOUT_KEY        the merchant's key: checkout merchant show 1001

import { createHmac, timingSafeEqual } from "node:crypto"

const TOLERANCE_S = 300

export async function POST(request) {
  const body = await request.text()
  if (!isSigned(request.headers, body, process.env.CHECKOUT_KEY)) return new Response("bad signature", { status: 401 })
  const { type, data } = JSON.parse(body)
  if (type === "order.paid") await paid(data, request.headers.get("webhook-id"))
  return new Response(null, { status: 204 }) // any 2xx; everything else is tried again for three days
}

// The same event can come twice, under the same id: keep the ids, in a table with a unique column. Compare product and
// price with your own before you hand over. The buyer's page is https://pay.example.com/receipt/ + order.receipt.
async function paid(order, id) {
  console.log("paid", id, order.number, order.product, order.ref, order.price.amount)
}

function isSigned(headers, body, key) {
  const [id, at, given] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers.get(name) || "")
  if (!/^\d{1,12}$/.test(at) || Math.abs(Date.now() / 1000 - at) > TOLERANCE_S) return false
  const expected = Buffer.from("v1," + createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64"))
  const isEqual = (one) => one.length === expected.length && timingSafeEqual(one, expected)
  return given.split(" ").some((one) => isEqual(Buffer.from(one)))
}
