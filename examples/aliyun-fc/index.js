// Receives the payment events of your checkout (Standard Webhooks) in Aliyun Function Compute: an event function with an
// HTTP trigger that lets anonymous requests in, runtime Node.js 16 or newer, environment variable CHECKOUT_KEY.
//
//   checkout merchant set 1001 --notify-url https://example.cn-hangzhou.fcapp.run
//   checkout merchant show 1001        the merchant's key

const { createHmac, timingSafeEqual } = require("crypto")

const TOLERANCE_S = 300

exports.handler = async (input) => {
  const event = JSON.parse(input) // a Buffer
  const headers = lowered(event.headers)
  const body = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body || ""
  if (event.requestContext.http.method !== "POST") return answer(405, "POST only")
  if (!isSigned(headers, body, process.env.CHECKOUT_KEY)) return answer(401, "bad signature")
  const { type, data } = JSON.parse(body)
  if (type === "order.paid") await paid(data, headers["webhook-id"])
  return answer(204, "") // any 2xx; everything else is tried again for three days
}

// The same event can come twice, under the same id: keep the ids, in a table with a unique column. Compare product and
// price with your own before you hand over. The buyer's page is https://pay.example.com/receipt/ + order.receipt.
async function paid(order, id) {
  console.log("paid", id, order.number, order.product, order.ref, order.price.amount)
}

const answer = (statusCode, body) => ({ statusCode, headers: { "Content-Type": "text/plain" }, body })
const lowered = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

function isSigned(headers, body, key) {
  const [id, at, given] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers[name] || "")
  if (!/^\d{1,12}$/.test(at) || Math.abs(Date.now() / 1000 - at) > TOLERANCE_S) return false
  const expected = Buffer.from("v1," + createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64"))
  const isEqual = (one) => one.length === expected.length && timingSafeEqual(one, expected)
  return given.split(" ").some((one) => isEqual(Buffer.from(one)))
}
