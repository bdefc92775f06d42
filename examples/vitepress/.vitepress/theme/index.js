// <Checkout product="ebook">购买</Checkout> in any Markdown page; VITE_CHECKOUT=https://pay.example.com in .env
import DefaultTheme from "vitepress/theme"
import Checkout from "./Checkout.vue"

export default { extends: DefaultTheme, enhanceApp: ({ app }) => app.component("Checkout", Checkout) }
