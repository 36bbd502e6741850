// The left pane: the text. Behind it stands a mirror of the same words, where they can light up.
import { fill, wordAt } from './words.js'

export class Source {
  #area = document.getElementById('text')
  #mirror = document.getElementById('mirror')
  #count = document.getElementById('count')
  #clear = document.getElementById('clear')
  #limit = Infinity
  words = []

  // changed(): the text is another; pointed(number): at which word the pointer or the caret is, -1: at none.
  constructor({ changed, pointed }) {
    this.#area.addEventListener('input', () => {
      this.#changed()
      changed()
    })
    this.#area.addEventListener('pointermove', event => pointed(this.#under(event)))
    this.#area.addEventListener('pointerleave', () => pointed(-1))
    this.#area.addEventListener('blur', () => pointed(-1))
    document.addEventListener('selectionchange', () => {
      if (document.activeElement === this.#area) pointed(wordAt(this.text, this.#area.selectionStart))
    })
    this.#clear.addEventListener('click', () => {
      this.text = ''
      changed()
      this.#area.focus()
    })
    this.#changed()
  }

  get text() {
    return this.#area.value
  }

  set text(text) {
    this.#area.value = text
    this.#changed()
  }

  set limit(limit) {
    this.#limit = limit
    this.#changed()
  }

  get tooLong() {
    return this.#length > this.#limit
  }

  set language(code) {
    this.#area.lang = this.#mirror.lang = code
  }

  get #length() { // in code points, as the server counts
    return [...this.text].length
  }

  #changed() {
    this.words = fill(this.#mirror, this.text)
    this.#mirror.append('\u200b') // else a last empty line would have no height
    this.#count.textContent = this.#limit === Infinity ? '' : [this.#length, this.#limit].map(n => n.toLocaleString('en')).join(' / ')
    this.#count.classList.toggle('wrong', this.tooLong)
    this.#clear.disabled = !this.text
  }

  #under({ clientX, clientY }) {
    return this.words.indexOf(document.elementsFromPoint(clientX, clientY).find(e => e.parentElement === this.#mirror))
  }
}
