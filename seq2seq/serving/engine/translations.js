// Where translations come from: a model in this browser. Stands in the place of the server's page/translations.js.
export class Refused extends Error {
  constructor(message, wait = null) {
    super(message)
    this.wait = wait
  }
}

const worker = new Worker(new URL('../engine/worker.js', import.meta.url), { type: 'module' })
const waiting = new Map()
let count = 0

worker.onmessage = ({ data: { id, answer, error, loaded } }) => {
  // Kept for the next visit when this one has all it needs; only from https and this machine does a browser keep pages.
  if (loaded) return navigator.serviceWorker?.register(new URL('../keep.js', import.meta.url), { updateViaCache: 'none' })
  waiting.get(id)?.(answer, error)
  waiting.delete(id)
}

const site = async () => (await fetch(new URL('../site.json', import.meta.url))).json()

export const languages = async () => (await site()).languages

export const settings = async () => ({ charLimit: 10_000, keyRequired: false })

export const translate = ({ q }, signal) => new Promise((resolve, reject) => {
  const id = count++
  waiting.set(id, (answer, error) => error === undefined ? resolve(answer) : reject(new Refused(error)))
  signal.addEventListener('abort', () => {
    worker.postMessage({ stop: id })
    waiting.delete(id)
    reject(signal.reason)
  })
  worker.postMessage({ id, text: q, alternatives: 3 })
})
