// The picture that a buyer keeps to scan from the album: shop, product, amount with its marked cents, the code, what to
// do. Drawn here, where the system's own fonts know every script.
const WIDTH = 720, EDGE = 40, GREY = "#59636e", INK = "#16191d";
const FONT = 'system-ui, -apple-system, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';

// Writes one line around the middle, smaller or cut where it is too long.
function line(pen, text, y, size, color, weight = 400, width = WIDTH - 2 * EDGE) {
  const set = (pixels) => { pen.font = `${weight} ${pixels}px ${FONT}`; };
  set(size);
  const wide = pen.measureText(text).width;
  if (wide > width) set(Math.max(size * 0.7, size * width / wide));
  while (text.length > 1 && pen.measureText(text).width > width) text = text.replace(/.…?$/u, "…");
  pen.fillStyle = color;
  pen.textAlign = "center";
  pen.fillText(text, WIDTH / 2, y);
}

function amount(pen, [symbol, yuan, cents], y, color) {
  const parts = [[symbol, 44, 8], [yuan, 92, 4], [cents, 92, 0]];
  const width = (text, size) => { pen.font = `700 ${size}px ${FONT}`; return pen.measureText(text).width; };
  let x = (WIDTH - parts.reduce((sum, [text, size, gap]) => sum + width(text, size) + gap, 0)) / 2;
  pen.textAlign = "start";
  for (const [text, size, gap] of parts) {
    const wide = width(text, size);
    if (text === cents) {
      pen.fillStyle = color + "22";
      pen.beginPath();
      pen.roundRect?.(x - 4, y - 84, wide + 16, 106, 16);
      pen.fill();
    }
    pen.fillStyle = text === cents ? color : INK;
    pen.fillText(text, x, y);
    x += wide + gap;
  }
}

function draw(code, texts) {
  const scale = Math.max(1, Math.floor(600 / code.naturalWidth)), side = scale * code.naturalWidth;
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d"), top = texts.title ? 320 : 272;
  canvas.width = WIDTH;
  canvas.height = top + side + 150;
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, WIDTH, canvas.height);
  pen.fillStyle = texts.color;
  pen.fillRect(0, 0, WIDTH, 100);
  line(pen, texts.shop, 63, 38, "#fff", 600);
  if (texts.title) line(pen, texts.title, 158, 32, GREY);
  amount(pen, texts.amount, top - 56, texts.color);
  pen.imageSmoothingEnabled = false; // whole multiples with sharp edges
  pen.drawImage(code, (WIDTH - side) / 2, top, side, side);
  line(pen, texts.how, top + side + 48, 36, INK, 600);
  line(pen, texts.until, top + side + 104, 26, GREY);
  return canvas;
}

// iPhones keep downloads away from the album; their share sheet offers to save the picture there.
async function hand(file) {
  if (/iPhone|iPad/.test(navigator.userAgent) && navigator.canShare?.({ files: [file] })) {
    try {
      return await navigator.share({ files: [file] });
    } catch (error) {
      if (error.name === "AbortError") return; // the buyer has changed his mind
    }
  }
  const saved = document.createElement("a");
  saved.href = URL.createObjectURL(file);
  saved.download = file.name;
  saved.click();
  setTimeout(() => URL.revokeObjectURL(saved.href), 60_000);
}

export async function save(link, code) {
  const find = (selector) => document.querySelector(selector);
  await code.decode();
  const canvas = draw(code, {
    shop: find("header bdi").textContent, title: find(".what").textContent.trim(),
    amount: [...find(".amount").childNodes].map((part) => part.textContent.trim()).filter(Boolean),
    how: link.dataset.how, until: link.dataset.until, color: find("main.alipay") ? "#0958d9" : "#047f40",
  });
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  await hand(new File([blob], link.download, { type: "image/png" }));
}
