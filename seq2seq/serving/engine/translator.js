// A text in, an answer as the server's out.
import { Model } from './model.js'
import { search } from './search.js'
import { pieces } from './sentences.js'
import { Tokenizer } from './tokenizer.js'

const MOST_TOKENS = 1000 // of a sentence, where the recipe has no limit

export class Translator {
  // ort: ONNX Runtime; read(name): a file of the model, as a Response; site: site.json
  static async load(ort, read, site) {
    const json = async name => (await read(name)).json()
    const graph = async name => new Uint8Array(await (await read(site.graphs[name])).arrayBuffer())
    const made = new Translator()
    const config = await json('config.json')
    made.decoding = config.decoding
    made.limit = config.max_length ?? MOST_TOKENS
    made.blank = site.blank
    const [source, target] = await Promise.all(site.tokenizers.map(async name => new Tokenizer(await json(name))))
    Object.assign(made, { source, target: target ?? source })
    made.blanks = new Set(made.target.pieces.keys().filter(id => !made.target.decode([id])))
    made.curve = site.calibrated ? (await json('confidence.json')).word : null
    made.model = await Model.load(ort, await graph('encoder'), await graph('step'), made.target.pieces.length)
    return made
  }

  // {translatedText, alternatives, alignment, wordConfidences}; stopped(): whether nobody waits for it any more.
  async translate(text, alternatives, stopped = () => false) {
    const lines = []
    for (const line of text.split('\n')) lines.push(await this.#line(line, 1 + alternatives, stopped))
    const shown = lines.map(({ candidates, around: [before, after] }) =>
      candidates.map(one => before + one.text + after))
    const most = Math.max(...shown.map(texts => texts.length))
    const texts = Array.from({ length: most }, (_, i) => shown.map(found => found[i] ?? found[0]).join('\n'))
    const best = lines.map(({ candidates }) => candidates[0])
    return {
      translatedText: texts[0],
      alternatives: [...new Set(texts.slice(1))].filter(other => other !== texts[0]),
      alignment: this.model.looks ? joined(best).links : null,
      wordConfidences: best.flatMap(one => one.confidences),
    }
  }

  async #line(line, nBest, stopped) {
    const found = []
    for (const piece of pieces(line, this.source, this.decoding.split ?? 'long', this.limit, this.blank)) {
      if (stopped()) throw new DOMException('nobody waits for it', 'AbortError')
      const candidates = await search(this.model, piece.tokens, this.decoding, this.blanks, Math.min(nBest, this.decoding.beam_size))
      found.push({ before: piece.before, candidates: this.#different(candidates, piece) })
    }
    const [first] = found
    if (!first) return { around: [line, ''], candidates: [nothing()] } // blank
    const around = [/^\s*/.exec(line)[0], /\s*$/.exec(line)[0]]
    if (found.length === 1) return { around, candidates: first.candidates.length ? first.candidates : [nothing()] }
    return { around, candidates: [joined(found.map(({ before, candidates }) => ({ before, ...candidates[0] ?? nothing() })))] }
  }

  // Candidates of different texts, best first.
  #different(found, piece) {
    const byText = new Map()
    for (const one of found) {
      const text = this.target.decode(one.tokens)
      if (!byText.has(text)) byText.set(text, one)
    }
    return [...byText].sort(([, a], [, b]) => b.score - a.score).map(([text, one]) => {
      const places = this.target.places(one.tokens)
      return {
        text,
        words: 1 + Math.max(-1, ...piece.words),
        confidences: this.#confidences(places, one.gains),
        links: this.model.looks ? links(one.looks, piece.words, places) : [],
      }
    })
  }

  // Of each word the product of its tokens' probabilities; where the run has calibrated it, the share that is right.
  #confidences(places, gains) {
    const logs = []
    places.forEach((place, i) => { logs[place] = (logs[place] ?? 0) + gains[i] })
    return logs.map(log => this.#calibrated(Math.exp(Math.min(0, log))))
  }

  #calibrated(probability) {
    if (!this.curve) return probability
    const { probabilities: x, shares: y } = this.curve
    const i = x.findIndex(value => value >= probability)
    if (i < 0) return y.at(-1)
    if (i === 0 || x[i] === x[i - 1]) return y[i]
    return y[i - 1] + (y[i] - y[i - 1]) * (probability - x[i - 1]) / (x[i] - x[i - 1])
  }
}

const nothing = () => ({ text: '', words: 0, confidences: [], links: [] })

// One translation of several, whose words count on.
const joined = parts => {
  const whole = nothing()
  for (const { before = '', text, words, confidences, links } of parts) {
    whole.links.push(...links.map(([s, t]) => [whole.words + s, whole.confidences.length + t]))
    whole.text += before + text
    whole.words += words
    whole.confidences.push(...confidences)
  }
  return whole
}

// For each target word the source word that it looked at most.
const links = (looks, sourcePlaces, targetPlaces) => {
  const rows = []
  targetPlaces.forEach((target, i) => sourcePlaces.forEach((source, j) => {
    rows[target] ??= []
    rows[target][source] = (rows[target][source] ?? 0) + looks[i][j]
  }))
  return rows.flatMap((row, target) => row.some(Boolean) ? [[row.indexOf(Math.max(...row)), target]] : [])
}
