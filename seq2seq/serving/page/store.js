// What this browser keeps between visits; nothing where it is not allowed to.
const PREFIX = 'seq2seq.'

export const kept = (name, otherwise) => {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? otherwise
  } catch {
    return otherwise
  }
}

export const keep = (name, value) => {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value))
  } catch { /* full, or forbidden: then it is forgotten */ }
}
