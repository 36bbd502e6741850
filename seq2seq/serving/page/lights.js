// Which words light up: the one that is pointed at, and those on the other side that it is aligned to.
export class Lights {
  constructor() {
    this.link([], [], [])
  }

  // source, target: spans of words; alignment: pairs of their numbers.
  link(source, target, alignment) {
    this.off()
    this.sides = { source, target }
    this.alignment = alignment
  }

  // The numbers of the words on the other side.
  partners(side, number) {
    const own = side === 'source' ? 0 : 1
    return this.alignment.filter(pair => pair[own] === number).map(pair => pair[1 - own])
  }

  on(side, number) {
    this.off()
    const other = this.sides[side === 'source' ? 'target' : 'source']
    for (const span of [this.sides[side][number], ...this.partners(side, number).map(i => other[i])])
      span?.classList.add('lit')
  }

  off() {
    for (const span of Object.values(this.sides ?? {}).flat()) span.classList.remove('lit')
  }
}
