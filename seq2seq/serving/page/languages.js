// From which language into which: what is offered, what is chosen, and swapping the two.
import { keep, kept } from './store.js'

export class Languages {
  #from = document.getElementById('source-language')
  #to = document.getElementById('target-language')
  #swap = document.getElementById('swap')
  #all = []

  // changed(): other languages are chosen; swapped(): by the button
  constructor({ changed, swapped }) {
    this.#from.addEventListener('change', () => {
      this.#offerTargets()
      this.#keep()
      changed()
    })
    this.#to.addEventListener('change', () => {
      this.#keep()
      changed()
    })
    this.#swap.addEventListener('click', () => {
      this.choose(this.target, this.source)
      swapped()
    })
  }

  // all: [{code, name, targets}]
  offer(all) {
    this.#all = all
    const sources = all.filter(language => language.targets.length)
    this.#from.replaceChildren(...sources.map(option))
    const [source, target] = kept('languages', [])
    if (this.has(source, target)) this.choose(source, target)
    else this.choose(sources[0].code, sources[0].targets[0])
  }

  get source() {
    return this.#from.value
  }

  get target() {
    return this.#to.value
  }

  has(source, target) {
    return this.#all.some(language => language.code === source && language.targets.includes(target))
  }

  choose(source, target) {
    this.#from.value = source
    this.#offerTargets()
    this.#to.value = target
    this.#keep()
  }

  name(code) {
    return this.#all.find(language => language.code === code)?.name ?? code
  }

  #offerTargets() {
    const before = this.target
    const { targets } = this.#all.find(language => language.code === this.source)
    this.#to.replaceChildren(...targets.map(code => option({ code, name: this.name(code) })))
    if (targets.includes(before)) this.#to.value = before
  }

  #keep() {
    keep('languages', [this.source, this.target])
    this.#swap.disabled = !this.has(this.target, this.source)
  }
}

const option = ({ code, name }) => new Option(name, code)
