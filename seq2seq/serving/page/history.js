// What was translated in this browser, the latest first.
import { keep, kept } from './store.js'

const MOST = 50
const LONGEST = 120 // characters of a text that are shown

export class History {
  #list = document.querySelector('#history ol')

  // chosen({source, target, text, translation}): wanted back; name(code): a language's
  constructor({ chosen, name }) {
    Object.assign(this, { chosen, name })
    document.getElementById('forget').addEventListener('click', () => this.#become([]))
    addEventListener('storage', () => this.show()) // another tab has written
  }

  // Takes the place of the same text, and of the latest where that is what it was typed on from.
  add(entry) {
    const stays = (other, i) => other.source !== entry.source || other.target !== entry.target ||
      (other.text !== entry.text && !(i === 0 && entry.text.startsWith(other.text)))
    this.#become([entry, ...kept('history', []).filter(stays)].slice(0, MOST))
  }

  show() {
    const entries = kept('history', [])
    document.getElementById('history').hidden = !entries.length
    this.#list.replaceChildren(...entries.map(entry => {
      const item = document.createElement('li')
      const button = document.createElement('button')
      button.type = 'button'
      button.append(
        part('soft', `${this.name(entry.source)} → ${this.name(entry.target)}`, 'en'),
        part('line', shortened(entry.text), entry.source),
        part('line', shortened(entry.translation), entry.target))
      button.addEventListener('click', () => this.chosen(entry))
      item.append(button)
      return item
    }))
  }

  #become(entries) {
    keep('history', entries)
    this.show()
  }
}

const shortened = text => {
  const characters = [...text]
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST - 1).join('')}…` : text
}

const part = (style, text, lang) => {
  const span = document.createElement('span')
  Object.assign(span, { className: style, textContent: text, lang, dir: 'auto' })
  return span
}
