// A line in the parts that are translated by themselves, as seq2seq/decoding/paragraphs.py cuts it.
import { EOS } from './tokenizer.js'

const END = /(?<![.!?…؟।])[.!?…؟।]+(?![.!?…؟।])["'”’»)\]]*(?<blank>\s+)(?=\S)|(?<![。！？｡])[。！？｡]+(?![。！？｡])[」』”’）]*(?![」』”’）])(?<none>\s*)(?=\S)/gu
const ABBREVIATED = /(?:(?<![\p{L}\p{N}_])(?:\p{L}|\p{Nd}{1,2}|(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|No|Nr|ca|bzw|usw|Mme|Mlle|Sra?)))\.$/u
const ENDS = '.!?。！？।؟'

// [{before, tokens, words}]: tokens with </s>, and of each without it the word that it is a piece of; limit: of the longest sentence that the model reads at once; blank: what
// stands between parts that are no sentences
export const pieces = (line, tokenizer, split, limit, blank) => {
  if (!line.trim()) return []
  const read = tokenizer.read(line)
  const whole = split === 'never' || (split === 'long' && read.tokens.length <= limit)
  const parts = whole ? [{ before: '', ...read }]
    : sentences(line.trim()).map(({ before, text }) => ({ before, ...tokenizer.read(text) }))
  return parts.flatMap(part => {
    let from = 0
    return cut(part.tokens, tokenizer, limit).map((tokens, i) => {
      const words = part.words.slice(from, from += tokens.length).map((word, _, [first]) => word - first)
      return { before: i ? blank : part.before, tokens: [...tokens, EOS], words }
    })
  })
}

const sentences = text => {
  const found = []
  let start = 0, before = ''
  for (const end of text.matchAll(END)) {
    const blank = end.groups.blank ?? end.groups.none
    const behind = end.index + end[0].length, place = behind - blank.length
    const following = String.fromCodePoint(text.codePointAt(behind))
    if (/\p{Lowercase}/u.test(following)) continue
    if (end.groups.blank !== undefined && ABBREVIATED.test(text.slice(Math.max(start, place - 20), place))) continue
    found.push({ before, text: text.slice(start, place) })
    start = behind
    before = blank
  }
  return [...found, { before, text: text.slice(start) }]
}

const cut = (tokens, tokenizer, limit) => {
  const found = []
  while (tokens.length > limit) {
    const names = tokens.slice(0, limit + 1).map(id => tokenizer.pieces[id])
    const last = test => {
      for (let i = limit; i > 0; i--) if (test(i)) return i
      return 0
    }
    const place = last(i => ENDS.includes([...names[i - 1]].at(-1))) || last(i => names[i].startsWith('▁')) || limit
    found.push(tokens.slice(0, place))
    tokens = tokens.slice(place)
  }
  return [...found, tokens]
}
