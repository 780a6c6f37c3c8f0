// Drives Chromium for the tests: one command a line in, one answer a line out, both JSON; see ../browser.py.
//
//   {"command": name, ...} -> {"value": ...} or {"error": text}
//
// The profile of the browser is in TMPDIR. It ends with this process, and this process with its standard input.
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const flags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

let browser = null
let page = null
let devtools = null

async function limitRate(bytesPerSecond) {
  await devtools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond,
  })
}

const commands = {
  // A tab of its own, which knows nothing of those before.
  async open({ url }) {
    if (page) await page.context().close()
    const context = await browser.newContext({ acceptDownloads: true })
    context.setDefaultTimeout(60_000)
    // Where there is nothing but loopback it believes to be offline, and clients wait until it is not.
    await context.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, 'onLine', { get: () => true })
    })
    page = await context.newPage()
    page.on('console', (message) => console.error(`console: ${message.text()}`))
    page.on('pageerror', (error) => console.error(`error on the page: ${error.stack}`))
    devtools = await context.newCDPSession(page)
    await devtools.send('Network.enable')
    await limitRate(-1)
    await page.goto(url)
  },
  async reload() {
    await page.reload()
  },
  async rate({ bytes }) {
    await limitRate(bytes)
  },
  async choose({ selector, path }) {
    await page.setInputFiles(selector, path)
  },
  async fill({ selector, text }) {
    await page.fill(selector, text)
  },
  async click({ selector }) {
    await page.click(selector)
  },
  async text({ selector }) {
    return page.textContent(selector)
  },
  async wait_for_text({ selector, pattern, seconds }) {
    await page.waitForFunction(
      ([where, wanted]) => new RegExp(wanted, 's').test(document.querySelector(where).textContent),
      [selector, pattern],
      { timeout: seconds * 1000, polling: 20 },
    )
    return page.textContent(selector)
  },
  // `script` is the text of a function of one argument; a promise that it returns is waited for.
  async run({ script, argument }) {
    return page.evaluate(`(${script})(${JSON.stringify(argument)})`)
  },
  // What a click on a link saves as a file.
  async download({ selector, path }) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)])
    await download.saveAs(path)
    return download.suggestedFilename()
  },
  // Where a click on a link leads to, and what is shown there.
  async follow({ selector }) {
    await Promise.all([page.waitForNavigation(), page.click(selector)])
    return { url: page.url(), text: await page.textContent('body') }
  },
}

browser = await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args: flags })
console.log(JSON.stringify({ value: browser.version() }))
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line)
  let answer
  try {
    answer = { value: (await commands[command](given)) ?? null }
  } catch (error) {
    answer = { error: String(error.stack ?? error) }
  }
  console.log(JSON.stringify(answer))
}
await browser.close()
