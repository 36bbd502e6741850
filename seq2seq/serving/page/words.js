// A text's words as the server counts them: Python's text.split().
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const WORD = new RegExp(`[^${SPACE}]+`, 'g')

// Puts a text into an element, each word in a span; returns the spans.
export const fill = (element, text) => {
  const words = [], children = []
  let end = 0
  for (const { 0: word, index } of text.matchAll(WORD)) {
    const span = document.createElement('span')
    span.textContent = word
    words.push(span)
    children.push(text.slice(end, index), span)
    end = index + word.length
  }
  element.replaceChildren(...children, text.slice(end))
  return words
}

// The number of the word at a place of the text, which may be just behind it; -1: there is none.
export const wordAt = (text, place) => [...text.matchAll(WORD)].findIndex(
  ({ 0: word, index }) => index <= place && place <= index + word.length)
