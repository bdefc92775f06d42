// {% checkout ebook 购买 %}; checkout: https://pay.example.com in _config.yml
const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c])

hexo.extend.tag.register("checkout", ([product, ...words]) => {
  const base = escape(hexo.config.checkout || "https://pay.example.com")
  const id = escape(product || "")
  const text = escape(words.join(" ") || "购买")
  return `<a href="${base}/buy/${id}" data-checkout="${id}">${text}</a>`
})

hexo.extend.injector.register("body_end", () => {
  const base = escape(hexo.config.checkout || "https://pay.example.com")
  return `<script src="${base}/static/checkout.js" async></script>`
})
