// Text to tokens and back, as seq2seq/data/tokenization.py does it. (The tokenizers' own npm package has no WordLevel.)
export const PAD = 0, BOS = 1, EOS = 2, UNK = 3
const SPACE = '▁', ESCAPED = '\ufdd0'
const BLANKS = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g
const PARTS = /(?=▁)|(?<=[\p{P}\p{N}!-/:-@[-`{-~])|(?=[\p{P}\p{N}!-/:-@[-`{-~])/u // before a space, around marks and digits
const UNKNOWN_PENALTY = 10 // of a unigram model, below its least likely piece
const encoder = new TextEncoder()

export class Tokenizer {
  // content: of tokenizer.json
  constructor({ model, normalizer }) {
    this.form = ['NFC', 'NFKC'].find(form => normalizer.normalizers[0].type === form)
    this.model = model
    this.pieces = []
    const vocabulary = model.type === 'Unigram' ? model.vocab.map(([piece], i) => [piece, i]) : Object.entries(model.vocab)
    this.ids = new Map(vocabulary)
    for (const [piece, id] of vocabulary) this.pieces[id] = piece
    if (model.type === 'BPE') this.ranks = new Map(model.merges.map((pair, i) =>
      [Array.isArray(pair) ? pair.join(' ') : pair, i]))
    if (model.type === 'Unigram') {
      this.least = Math.min(...model.vocab.map(([, score]) => score))
      this.longest = Math.max(...this.pieces.map(piece => [...piece].length))
    }
  }

  normalize(text) {
    text = text.replace(/\p{Cs}/gu, '?')
    if (this.form) text = text.normalize(this.form)
    return text.replaceAll(SPACE, ESCAPED).replace(BLANKS, ' ').replace(/^ | $/g, '')
  }

  // Tokens of a text, without <s> and </s>.
  encode(text) {
    return this.read(text).tokens
  }

  // Its tokens, and of each which of the text's words it is a piece of: `places`, but for unknown words too.
  read(text) {
    const normal = this.normalize(text)
    const cut = { BPE: part => this.#merge(part), Unigram: part => this.#likeliest(part), WordLevel: part => [this.ids.get(part) ?? UNK] }
    const tokens = [], words = []
    let word = -1
    for (const part of normal ? (SPACE + normal.replaceAll(' ', SPACE)).split(PARTS) : []) {
      if (part.startsWith(SPACE)) word++
      for (const token of cut[this.model.type](part)) {
        tokens.push(token)
        words.push(word)
      }
    }
    return { tokens, words }
  }

  // One line; <unk> is written out, other special tokens leave nothing.
  decode(ids) {
    const unknown = (this.model.type === 'WordLevel' ? SPACE : '') + this.pieces[UNK]
    const bytes = ids.filter(id => id > EOS).flatMap(id =>
      byteOf(this.pieces[id]) ?? [...encoder.encode(id === UNK ? unknown : this.pieces[id])])
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array(bytes))
    return text.replaceAll(SPACE, ' ').replace(BLANKS, ' ').replace(/^ | $/g, '').replaceAll(ESCAPED, SPACE)
  }

  // Of each token, which of the text's words it is a piece of; a space belongs to the next.
  places(ids) {
    let word = -1, between = true
    const found = ids.map(id => {
      for (const character of byteOf(this.pieces[id]) ? 'x' : this.pieces[id]) {
        if (between && character !== SPACE) word++
        between = character === SPACE
      }
      return word + (between ? 1 : 0)
    })
    return found.map(place => Math.max(0, Math.min(place, word)))
  }

  // A character's bytes where it has no token.
  #spelt(character) {
    const bytes = [...encoder.encode(character)].map(byte => this.ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`))
    return this.model.byte_fallback && bytes.every(id => id !== undefined) ? bytes : [UNK]
  }

  #merge(part) {
    const found = [...part].flatMap(character => this.ids.get(character) ?? this.#spelt(character))
    while (found.length > 1) {
      let best = Infinity, at = -1
      for (let i = 0; i + 1 < found.length; i++) {
        const rank = this.ranks.get(`${this.pieces[found[i]]} ${this.pieces[found[i + 1]]}`)
        if (rank < best) [best, at] = [rank, i]
      }
      if (at < 0) break
      found.splice(at, 2, this.ids.get(this.pieces[found[at]] + this.pieces[found[at + 1]]))
    }
    return found
  }

  // The pieces whose scores have the largest sum (Viterbi); characters without one are unknown, those side by side as one.
  #likeliest(part) {
    const characters = [...part]
    const best = [{ score: 0 }]
    const offer = (end, score, from, id) => {
      if (!best[end] || score > best[end].score) best[end] = { score, from, id }
    }
    for (let from = 0; from < characters.length; from++) {
      let single = false
      for (let end = from + 1; end <= Math.min(characters.length, from + this.longest); end++) {
        const id = this.ids.get(characters.slice(from, end).join(''))
        if (id === undefined) continue
        single ||= end === from + 1
        offer(end, best[from].score + this.model.vocab[id][1], from, id)
      }
      if (!single) offer(from + 1, best[from].score + this.least - UNKNOWN_PENALTY, from, UNK)
    }
    const found = []
    for (let end = characters.length; end > 0; end = best[end].from) {
      const { from, id } = best[end]
      const text = characters.slice(from, end).join('')
      if (id === UNK && found[0]?.id === UNK) found[0].text = text + found[0].text
      else found.unshift({ id, text })
    }
    return found.flatMap(({ id, text }) => id === UNK ? this.#spelt(text) : id)
  }
}

const byteOf = piece => {
  const found = /^<0x([0-9A-F]{2})>$/.exec(piece)
  return found && [parseInt(found[1], 16)]
}
