// Translates beside the page, so that typing never waits for it. In: {id, text, alternatives}, or {stop: id}. Out: {id,
// answer} or {id, error}; {loaded: true} once.
import * as ort from '../runtime/ort.wasm.bundle.min.mjs'
import { Translator } from './translator.js'

ort.env.wasm.numThreads = 1
ort.env.wasm.wasmPaths = { wasm: new URL('../runtime/ort-wasm-simd-threaded.wasm', import.meta.url).href }

const read = async path => {
  const response = await fetch(new URL(`../${path}`, import.meta.url))
  if (!response.ok) throw new Error(`${path}: status ${response.status}`)
  return response
}
const loading = read('site.json').then(response => response.json())
  .then(site => Translator.load(ort, name => read(`model/${name}`), site))
const stopped = new Set()
let before = loading.then(() => postMessage({ loaded: true }), () => {})

onmessage = ({ data: { id, text, alternatives, stop } }) => {
  if (stop !== undefined) return stopped.add(stop)
  before = before.then(async () => {
    try {
      const translator = await loading
      const waits = async () => new Promise(resolve => { setTimeout(resolve) }) // lets {stop} in
      await waits()
      postMessage({ id, answer: await translator.translate(text, alternatives, () => stopped.has(id)) })
    } catch (error) {
      postMessage({ id, error: error.message })
    }
    stopped.delete(id)
  })
}
