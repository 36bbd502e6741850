// Beam search for one sentence, as seq2seq/decoding/search.py does it.
import { BOS, EOS } from './tokenizer.js'

const GRID = 1e-3 // scores are compared in steps of this size; what is equal goes by its place

const even = value => { // to the nearest whole number, halves to the even one
  const down = Math.floor(value)
  const rest = value - down
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down
}
const onGrid = score => Number.isNaN(score) ? -(2 ** 41) : Math.max(even(score / GRID), -(2 ** 41))

const rank = (scores, k) => {
  const keys = scores.map(onGrid)
  return scores.map((_, i) => i).sort((a, b) => keys[b] - keys[a] || a - b).slice(0, k)
}

const normalized = (score, length, { kind, alpha }) => {
  if (kind === 'none') return score
  return kind === 'average' ? score / length : score / ((5 + length) / 6) ** alpha
}

// The best finished hypotheses: [{tokens, gains (of each and of </s>), score, looks (attention of each)}].
// model: start(source), step(tokens, state, count, last), select(state, rows); blanks: tokens that no text comes of
export const search = async (model, source, decoding, blanks, nBest) => {
  const { beam_size: beam, length_penalty: penalty, max_length: longest, min_length: shortest } = decoding
  const limit = Math.trunc(source.length * longest.ratio) + longest.offset
  const least = Math.trunc((source.length - 1) * shortest.ratio) + shortest.offset
  let state = await model.start(source)
  let open = [{ tokens: [], score: 0, gains: [], looks: [] }]
  const found = []
  for (let length = 1; ; length++) {
    const last = length >= limit
    const stepped = await model.step(open.map(({ tokens }) => tokens.at(-1) ?? BOS), state, beam + 2, last)
    const all = open.flatMap((parent, row) => {
      const short = !last && parent.tokens.filter(token => !blanks.has(token)).length < least
      const best = stepped.best[row].filter(({ token }) => !(short && token === EOS)).slice(0, beam + 1)
      const look = stepped.looks?.[row]
      return best.map(({ token, gain }) => ({ parent, row, token, gain, score: parent.score + gain, look }))
    })
    const extensions = rank(all.map(one => one.score), 2 * beam).map(i => all[i])
    for (const one of extensions.slice(0, beam)) {
      if (one.token !== EOS || !Number.isFinite(one.score)) continue
      const score = onGrid(normalized(one.score, length, penalty)) * GRID
      if (found.length >= nBest && !(score > found.at(-1).score)) continue
      found.push({ tokens: one.parent.tokens, gains: [...one.parent.gains, one.gain], looks: one.parent.looks, score })
      found.sort((a, b) => b.score - a.score)
      found.splice(nBest)
    }
    const scores = extensions.map(one => one.token === EOS ? -Infinity : one.score)
    const kept = rank(scores, beam)
    const reach = normalized(scores[kept[0]], limit, penalty)
    const worst = found.length >= nBest ? found.at(-1).score : -Infinity
    const over = beam === 1 ? found.length > 0 : !(onGrid(reach) * GRID > worst)
    if (over || !Number.isFinite(reach)) return found
    const going = kept.map(i => ({ ...extensions[i], score: scores[i] }))
    state = model.select(stepped.state, going.map(one => one.row))
    open = going.map(({ parent, token, gain, score, look }) => ({
      tokens: [...parent.tokens, token], score, gains: [...parent.gains, gain], looks: [...parent.looks, look] }))
  }
}
