// The page: what is typed is translated, and what is pointed at lights up.
import { History } from './history.js'
import { Languages } from './languages.js'
import { Lights } from './lights.js'
import { Output } from './output.js'
import { Source } from './source.js'
import { keep } from './store.js'
import { languages, settings, translate } from './translations.js'

const PAUSE = 250 // milliseconds without a key until a text is translated
const SETTLED = 1500 // and from its translation until it goes into the history

const status = document.getElementById('status')
const key = document.querySelector('#key input')
const dark = document.getElementById('dark')
const lights = new Lights()
let asking = null // the AbortController of the request that is on its way
let timer, settling

const say = text => { status.textContent = text }
const point = (side, number) => number < 0 ? lights.off() : lights.on(side, number)
const soon = pause => {
  asking?.abort()
  clearTimeout(timer)
  clearTimeout(settling)
  lights.link(source.words, [], [])
  output.waiting = true
  timer = setTimeout(ask, pause)
}

const source = new Source({ changed: () => soon(PAUSE), pointed: number => point('source', number) })
const output = new Output({
  shown: ({ alignment }) => lights.link(source.words, output.words, alignment ?? []),
  pointed: number => point('target', number),
  told: number => {
    const from = lights.partners('target', number).map(i => source.words[i]?.textContent).join(' ')
    say(`${output.words[number].textContent}${from && ` from “${from}”`}${output.sureness(number)}`)
  },
  copied: done => say(done ? 'Copied' : 'This browser does not let a page copy'),
})
const chosen = new Languages({
  changed: () => soon(0),
  swapped: () => {
    source.text = output.text || source.text
    soon(0)
  },
})
const history = new History({
  chosen: entry => {
    if (chosen.has(entry.source, entry.target)) chosen.choose(entry.source, entry.target)
    source.text = entry.text
    soon(0)
  },
  name: code => chosen.name(code),
})

const ask = async () => {
  const { text } = source
  const { source: from, target } = chosen
  if (!from) return // typed before the languages have come: `start` asks then
  source.language = from
  say(source.tooLong ? 'The text is too long' : '')
  if (source.tooLong || !text.trim()) return show([], target)
  const { signal } = asking = new AbortController()
  try {
    const answer = await translate({ q: text, source: from, target, api_key: key.value || undefined }, signal)
    if (signal.aborted) return
    const best = { text: answer.translatedText, alignment: answer.alignment, confidences: answer.wordConfidences }
    show([best, ...answer.alternatives.map(other => ({ text: other }))], target)
    settling = setTimeout(() => history.add({ source: from, target, text, translation: best.text }), SETTLED)
  } catch (error) {
    if (signal.aborted) return
    output.waiting = false
    say(error.message)
    if (error.wait !== null) timer = setTimeout(ask, 1000 * error.wait)
  }
}

const show = (candidates, target) => {
  output.waiting = false
  output.show(candidates, target)
}

const system = matchMedia('(prefers-color-scheme: dark)')
const { dataset } = document.documentElement
const isDark = () => dataset.theme ? dataset.theme === 'dark' : system.matches
const showDark = () => { dark.ariaPressed = String(isDark()) }
system.addEventListener('change', showDark)
dark.addEventListener('click', () => {
  dataset.theme = isDark() ? 'light' : 'dark'
  keep('dark', isDark())
  showDark()
})
showDark()

key.addEventListener('input', () => soon(PAUSE))

const start = async () => {
  try {
    const [all, { charLimit, keyRequired }] = await Promise.all([languages(), settings()])
    source.limit = charLimit
    document.getElementById('key').hidden = !keyRequired
    chosen.offer(all)
    history.show()
    soon(0)
  } catch (error) {
    say(error.message)
    setTimeout(start, 3000)
  }
}
start()
