/* Checkout in your own page. MIT
 *
 * <a href="https://pay.example.com/buy/ebook" data-checkout="ebook">Buy</a>
 * <div data-checkout-inline="ebook"><a href="https://pay.example.com/buy/ebook">Buy</a></div> */
(() => {
  const warn = (text) => console.warn("Checkout: " + text)
  if (window.Checkout) return warn("loaded twice")
  const base = new URL("..", document.currentScript.src)
  // Phones pay better on our page.
  const isPhone = /Mobi|Android|MicroMessenger|AlipayClient/.test(navigator.userAgent)
  const leaves = ({ mode = "auto" }) => mode === "redirect" || (mode === "auto" && isPhone)
  const GRAMMAR = {
    product: /^[\w-]{1,64}$/, order: /^[\w-]{1,64}$/, method: /^(wechat|alipay)$/, quantity: /^\d{1,4}$/,
    amount: /^\d{1,9}(\.\d\d?)?$/, ref: /^.{1,200}$/, lang: /^(zh-CN|zh-TW|en)$/, theme: /^(light|dark|auto)$/,
    return: /^https?:\/\//, mode: /^(auto|modal|redirect)$/,
  }
  let modal

  function checked(wish) {
    const kept = {}
    for (const [name, value] of Object.entries(wish)) {
      if (value == null) continue
      if (GRAMMAR[name]?.test(value)) kept[name] = value
      else warn(`${name}="${value}" is left out`)
    }
    return kept
  }

  function wishOf({ dataset }) {
    const wish = {}
    for (const name in GRAMMAR) wish[name] = dataset[name]
    wish.product = dataset.checkout || dataset.checkoutInline
    wish.order = dataset.checkoutOrder
    return checked(wish)
  }

  function address({ product, order, mode, ...rest }) {
    const url = new URL(order ? "pay/" + order : "buy/" + product, base)
    for (const name in rest) url.searchParams.set(name, rest[name])
    return url.href
  }

  // Reopening shows the order that waits.
  function memory(wish, token) {
    const key = "checkout " + base + JSON.stringify(wish)
    try {
      if (token != null) sessionStorage[key] = token
      return sessionStorage[key]
    } catch {}
  }

  function emit(element, type, detail) {
    const event = new CustomEvent("checkout:" + type, { bubbles: true, cancelable: type === "paid", detail })
    return (element?.isConnected ? element : document).dispatchEvent(event)
  }

  // Only our frame is heard.
  function frameIn(box, wish, element, heard) {
    const frame = document.createElement("iframe")
    const result = { state: "closed", order: wish.order || memory(wish) || null, receipt: null }
    function stop() {
      clearTimeout(timer)
      frame.onload = null
      removeEventListener("message", hear)
    }
    function silent() {
      stop()
      memory(wish, "")
      emit(element, "fallback", result)
      heard("silent")
    }
    function hear({ origin, source, data }) {
      if (origin !== base.origin || source !== frame.contentWindow || data?.v !== 1) return
      clearTimeout(timer)
      frame.onload = null
      const { v, t, url, height, ...news } = data
      const isNew = news.state && news.state !== result.state
      Object.assign(result, news)
      if (isNew) {
        memory(wish, /pending|review/.test(t) ? result.order : "")
        if (!emit(element, t, { ...result })) source.postMessage({ v, t: "stay" }, origin)
      }
      if (height) frame.style.height = height + "px"
      if (t === "return" && /^https?:\/\//.test(url)) location.assign(url)
      heard(t)
    }
    let timer = setTimeout(silent, 8000)
    frame.onload = () => {
      clearTimeout(timer) // refused frames never speak
      timer = setTimeout(silent, 1500)
    }
    addEventListener("message", hear)
    frame.src = address({ ...wish, order: result.order, embed: location.origin })
    frame.name = "checkout-" + box.localName
    frame.title = "Checkout"
    frame.allow = "clipboard-write"
    frame.style.cssText = "display:block;width:100%;height:600px;border:0"
    box.append(frame)
    return { frame, result, stop }
  }

  // Tab enters frames behind dialogs.
  const behind = () => document.querySelectorAll("[data-checkout-inline] iframe").forEach((frame) =>
    frame.contentWindow.postMessage({ v: 1, inert: modal.open }, base.origin))

  async function open(wanted, element = document.activeElement) {
    const wish = checked(wanted)
    const { product, order } = wish
    if (!product === !order) throw TypeError("Checkout needs a product or an order")
    const leave = () => (location.assign(address(wish)), new Promise(() => {}))
    if (leaves(wish)) return leave()
    modal?.close()
    const dialog = (modal = document.createElement("dialog"))
    dialog.ariaLabel = "Checkout"
    dialog.style.cssText = "width:min(440px,100%);max-height:100%;padding:0;border:0;border-radius:16px;box-shadow:0 0 0 100vmax #0006"
    document.body.append(dialog)
    const { frame, result, stop } = frameIn(dialog, wish, element, (t) => {
      if (t === "silent") leave()
      if (t === "close") dialog.close()
    })
    dialog.onclick = ({ target }) => target === dialog && dialog.close()
    frame.style.maxHeight = "96vh"
    dialog.showModal()
    behind()
    frame.focus()
    emit(element, "open", result)
    await new Promise((closed) => (dialog.onclose = closed))
    stop()
    dialog.remove()
    behind()
    element?.focus?.()
    emit(element, "close", result)
    return result
  }

  const filled = new WeakSet()
  function fill(element) {
    const wish = wishOf(element)
    if (filled.has(element) || !wish.product || leaves(wish)) return // the link works
    filled.add(element)
    const links = [...element.childNodes]
    const { frame } = frameIn(element, wish, element, (t) => {
      if (t === "ready") links.forEach((link) => link.remove())
      if (t === "silent") frame.remove()
      if (t === "close") modal?.close()
    })
  }

  addEventListener("click", (event) => {
    const element = event.target.closest?.("[data-checkout],[data-checkout-order]")
    if (!element || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return
    const wish = wishOf(element)
    if (!wish.product === !wish.order) return
    event.preventDefault()
    open(wish, element)
  })

  const look = () => document.querySelectorAll("[data-checkout-inline]").forEach(fill)
  new MutationObserver(look).observe(document, { childList: true, subtree: true })
  look()

  window.Checkout = { version: "1", open, close: () => modal?.close(), resume: (order) => open({ order }) }
})()
