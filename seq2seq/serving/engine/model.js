// An exported model's graphs in ONNX Runtime, a sentence at a time.
import { EOS } from './tokenizer.js'

const SOURCE = ['outputs', 'keys', 'padding'] // what steps know of the source; all else belongs to a hypothesis

export class Model {
  // ort: ONNX Runtime; encoder, step: bytes of the graphs; vocabulary: of the target, its size
  static async load(ort, encoder, step, vocabulary) {
    const made = new Model()
    const create = bytes => ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] })
    Object.assign(made, { ort, encoder: await create(encoder), stepper: await create(step), most: vocabulary - 3 })
    made.carried = made.encoder.outputNames.filter(name => !SOURCE.includes(name))
    made.looks = made.stepper.outputNames.includes('attention')
    return made
  }

  #whole(values, dims) {
    return new this.ort.Tensor('int64', BigInt64Array.from(values, BigInt), dims)
  }

  // source: tokens with </s>
  async start(source) {
    return this.encoder.run({ src: this.#whole(source, [1, source.length]), lengths: this.#whole([source.length], [1]) })
  }

  // best: of each hypothesis the best extensions, [{token, gain}]; where it is the last, </s> alone
  async step(tokens, state, count, last) {
    const given = { ...state, tokens: this.#whole(tokens, [1, tokens.length]), count: this.#whole([Math.min(count, this.most)], []) }
    const feeds = Object.fromEntries(this.stepper.inputNames.map(name => [name, given[name]]))
    const next = this.carried.map(name => `next.${name}`)
    const scores = last ? ['logits'] : ['best', 'words']
    const out = await this.stepper.run(feeds, ['normalizer', ...scores, ...next, ...(this.looks ? ['attention'] : [])])
    const rows = (tensor, row) => {
      const width = tensor.dims.at(-1)
      return tensor.data.subarray(row * width, (row + 1) * width)
    }
    const best = tokens.map((_, row) => {
      const normalizer = out.normalizer.data[row]
      if (last) return [{ token: EOS, gain: rows(out.logits, row)[EOS] - normalizer }]
      const words = rows(out.words, row)
      return Array.from(rows(out.best, row), (logit, i) => ({ token: Number(words[i]), gain: logit - normalizer }))
    })
    const looks = this.looks ? tokens.map((_, row) => Array.from(rows(out.attention, row))) : null
    const after = Object.fromEntries(this.carried.map(name => [name, out[`next.${name}`]]))
    return { best, looks, state: { ...state, ...after } }
  }

  // The state of hypotheses that go on: of each, its parent's row.
  select(state, rows) {
    const chosen = this.carried.map(name => {
      const { data, dims, type } = state[name]
      const width = dims.at(-1)
      const values = new data.constructor(rows.length * width)
      rows.forEach((row, i) => values.set(data.subarray(row * width, (row + 1) * width), i * width))
      return [name, new this.ort.Tensor(type, values, [1, rows.length, ...dims.slice(2)])]
    })
    return { ...state, ...Object.fromEntries(chosen) }
  }
}
