// The right pane: the translation, its alternatives below, and how sure the model is of each word.
import { keep, kept } from './store.js'
import { fill } from './words.js'

const SURE = 0.8 // from here on a word is not shaded

export class Output {
  #pane = document.getElementById('output')
  #translation = document.getElementById('translation')
  #copy = document.getElementById('copy')
  #shade = document.getElementById('shade')
  #alternatives = document.getElementById('alternatives')
  #at = -1 // the word that the arrow keys have reached
  #candidates = []
  #shown = {}
  words = []

  // shown(candidate): another is in the pane; pointed(number): at which word the pointer or an arrow key is, -1: at
  // none; told(number): the arrow keys are there; copied(done)
  constructor({ shown, pointed, told, copied }) {
    Object.assign(this, { shown, pointed, told })
    this.#translation.addEventListener('pointermove', event => pointed(this.words.indexOf(event.target)))
    this.#translation.addEventListener('pointerleave', () => pointed(-1))
    this.#pane.addEventListener('keydown', event => this.#key(event))
    this.#pane.addEventListener('blur', () => this.#go(-1))
    this.#shade.checked = kept('shade', true)
    this.#shade.addEventListener('change', () => {
      keep('shade', this.#shade.checked)
      this.#shadeWords()
    })
    this.#copy.addEventListener('click', async () => copied(await this.#copied()))
    this.#shadeWords()
  }

  get text() {
    return this.#shown.text ?? ''
  }

  set waiting(waiting) {
    this.#pane.ariaBusy = String(waiting)
  }

  // candidates: [{text, alignment, confidences}], the best first; language: their code
  show(candidates, language) {
    this.#candidates = candidates
    this.#translation.lang = language
    this.#choose(candidates[0] ?? {})
  }

  #choose(candidate) {
    this.#shown = candidate
    this.#at = -1
    this.words = fill(this.#translation, this.text)
    this.words.forEach((word, i) => {
      const sure = candidate.confidences?.[i] ?? 1
      if (sure >= SURE) return
      word.classList.add('unsure', `u${Math.floor(5 * sure)}`)
      word.title = `${Math.round(100 * sure)} % sure`
    })
    this.#copy.disabled = !this.text
    this.#listOthers()
    this.shown(candidate)
  }

  // Each is a button that brings it into the pane.
  #listOthers() {
    const others = this.#candidates.filter(other => other !== this.#shown)
    this.#alternatives.hidden = !others.length
    this.#alternatives.querySelector('ul').replaceChildren(...others.map(other => {
      const button = document.createElement('button')
      Object.assign(button, { type: 'button', dir: 'auto', lang: this.#translation.lang, textContent: other.text })
      button.addEventListener('click', () => {
        this.#choose(other)
        this.#pane.focus()
      })
      const item = document.createElement('li')
      item.append(button)
      return item
    }))
  }

  #shadeWords() {
    this.#translation.classList.toggle('shaded', this.#shade.checked)
  }

  #key(event) {
    const right = getComputedStyle(this.#translation).direction === 'rtl' ? -1 : 1
    const last = this.words.length - 1
    const to = { ArrowRight: this.#at + right, ArrowLeft: this.#at - right, Home: 0, End: last }[event.key]
    if (event.key === 'Escape') this.#go(-1)
    if (to === undefined || last < 0) return
    event.preventDefault()
    this.#go(Math.min(Math.max(to, 0), last))
  }

  #go(number) {
    this.#at = number
    this.pointed(number)
    if (number >= 0) this.told(number)
  }

  // How likely a word is right, as a reader would say it; nothing where that is not known.
  sureness(number) {
    const sure = this.#shown.confidences?.[number]
    return sure === undefined ? '' : `, ${Math.round(100 * sure)} % sure`
  }

  async #copied() {
    try {
      await navigator.clipboard.writeText(this.text)
      return true
    } catch { // a page that is neither local nor over TLS has no clipboard: select it and copy the old way
      getSelection().selectAllChildren(this.#translation)
      return document.execCommand('copy')
    }
  }
}
