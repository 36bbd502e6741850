// The table of all sentences: search, filter, sort, and a row that opens to show where the decoder looked.
'use strict'
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const PAGE = 50
const FIELDS = ['number', 'chrf', 'bleu', 'source', 'hypothesis', 'reference', 'ours', 'theirs', 'length', 'mean', 'flags',
  'sourceWords', 'targetWords', 'confidence', 'weights', 'alternatives']

const element = (name, attributes = {}, ...children) => {
  const svg = ['svg', 'g', 'line', 'text', 'title'].includes(name)
  const made = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}
const share = digit => DIGITS.indexOf(digit) / 63
const percent = value => `${Math.round(100 * value)} %`

// A text in pieces: what differs from the other text is underlined, words are shaded by the model's confidence.
const marked = (text, runs, style, words = [], confidence = '') => {
  const differs = [], unsure = []
  let at = 0
  runs.forEach((length, i) => { if (i % 2) differs.push([at, at + length]); at += length })
  at = 0
  words.forEach((word, i) => {
    const found = word ? text.indexOf(word, at) : -1
    if (found < 0) return
    unsure.push([found, found + word.length, share(confidence[i])])
    at = found + word.length
  })
  const bounds = [...new Set([0, text.length, ...differs.flat(), ...unsure.flatMap(([a, b]) => [a, b])])].sort((a, b) => a - b)
  return bounds.slice(0, -1).map((from, i) => {
    const part = text.slice(from, bounds[i + 1])
    const inside = ([a, b]) => a <= from && from < b
    const word = unsure.find(inside)
    let made = differs.some(inside) ? element('mark', { class: style }, part) : part
    if (word && word[2] < 0.8)
      made = element('span', { class: `unsure u${Math.floor(word[2] * 5)}`, title: `probability ${percent(word[2])}` }, made)
    return made
  })
}

const HEIGHT = 22
const alignment = row => {
  const [left, right, width] = [130, 210, 340]
  const rows = Math.max(row.sourceWords.length, row.targetWords.length)
  const short = word => word.length > 18 ? word.slice(0, 17) + '…' : word
  const y = i => HEIGHT * i + 16
  const text = (x, i, word, anchor) => element('text', { x, y: y(i), 'text-anchor': anchor }, short(word))
  const lines = []
  row.targetWords.forEach((target, j) => row.sourceWords.forEach((source, i) => {
    const weight = share(row.weights[j * row.sourceWords.length + i])
    if (weight >= 0.15) lines.push(element('line', { x1: left + 6, y1: y(i) - 4, x2: right - 6, y2: y(j) - 4,
      opacity: weight, 'stroke-width': 1 + 2 * weight }, element('title', {}, `${target}, ${source}: ${weight.toFixed(2)}`)))
  }))
  return element('svg', { class: 'alignment', viewBox: `0 0 ${width} ${HEIGHT * rows + 8}`, role: 'img',
    'aria-label': 'Lines from each word of the translation to the words of the source that the decoder looked at' },
  ...lines, ...row.sourceWords.map((word, i) => text(left, i, word, 'end')),
  ...row.targetWords.map((word, j) => text(right, j, word, 'start')))
}

const map = row => {
  const head = element('tr', {}, element('td', { class: 'corner' }),
    ...row.sourceWords.map(word => element('th', { scope: 'col' }, element('span', {}, word))))
  const body = row.targetWords.map((word, j) => element('tr', {}, element('th', { scope: 'row' }, word),
    ...row.sourceWords.map((source, i) => {
      const weight = share(row.weights[j * row.sourceWords.length + i])
      return element('td', {}, ...(weight < 0.02 ? [] : [element('i', { style: `opacity:${weight.toFixed(2)}`, title: `${word}, ${source}: ${weight.toFixed(2)}` })]))
    })))
  return element('table', { class: 'map', style: `max-width:${116 + 30 * row.sourceWords.length}px`,
    'aria-label': 'Attention: rows are words of the translation, columns words of the source' },
    element('thead', {}, head), element('tbody', {}, ...body))
}

const opened = row => {
  const facts = [`sentence ${row.number}`, `BLEU ${row.bleu.toFixed(1)}`, `chrF ${row.chrf.toFixed(1)}`]
  if (row.mean !== null) facts.push(`${percent(row.mean)} a word`)
  const parts = [element('p', { class: 'soft' }, facts.join(' · '))]
  if (row.alternatives.length) parts.push(element('div', {}, element('h4', {}, 'Next in the beam'),
    element('ol', { start: 2 }, ...row.alternatives.map(([text, score]) => element('li', { dir: 'auto' }, `${text} (${score.toFixed(2)})`)))))
  if (row.weights) parts.push(element('div', { class: 'looks' }, alignment(row), map(row)))
  else parts.push(element('p', { class: 'soft' }, 'No attention map: the model has no attention, or the sentence is very long.'))
  return parts
}

const ORDERS = {
  number: [row => row.number, 1], low: [row => row.chrf, 1], high: [row => row.chrf, -1],
  unsure: [row => row.mean ?? 2, 1], sure: [row => row.mean ?? -1, -1], short: [row => row.length, 1], long: [row => row.length, -1],
}
const HEADS = { number: ['number', 'number'], chrf: ['low', 'high'], mean: ['unsure', 'sure'] }

for (const section of document.querySelectorAll('.explorer')) {
  const all = JSON.parse(section.querySelector('script').textContent)
    .map(values => Object.fromEntries(FIELDS.map((name, i) => [name, values[i]])))
  for (const row of all) row.text = `${row.source}\n${row.hypothesis}\n${row.reference}`.toLowerCase()
  const control = name => section.querySelector(`[name=${name}]`)
  const [search, kind, order, shade] = ['search', 'kind', 'order', 'shade'].map(control)
  const [body, more, count] = ['tbody', '.more', 'output'].map(name => section.querySelector(name))
  const table = body.closest('table')
  const languages = [table.dataset.src, table.dataset.tgt]
  let chosen = all, shown = 0

  const cell = (label, attributes, ...children) => element('td', { 'data-is': label, ...attributes }, ...children)
  const line = row => {
    const button = element('button', { type: 'button', class: 'open', 'aria-expanded': 'false',
      'aria-label': `Look inside sentence ${row.number}` }, String(row.number))
    const made = element('tr', { class: 'row' }, cell('', { class: 'n' }, button),
      cell('chrF', { class: 'n' }, row.chrf.toFixed(1)),
      cell('a word', { class: 'n' }, row.mean === null ? '' : percent(row.mean)),
      cell('source', { lang: languages[0], dir: 'auto' }, row.source),
      cell('translation', { lang: languages[1], dir: 'auto' },
        ...marked(row.hypothesis, row.ours, 'wrong', (row.targetWords ?? []).slice(0, -1), row.confidence)),
      cell('reference', { lang: languages[1], dir: 'auto' }, ...marked(row.reference, row.theirs, 'missed')))
    made.addEventListener('click', () => {
      if (getSelection().type === 'Range') return
      const isOpen = button.getAttribute('aria-expanded') === 'true'
      button.setAttribute('aria-expanded', String(!isOpen))
      if (isOpen) made.nextElementSibling.remove()
      else made.after(element('tr', { class: 'inside' }, element('td', { colspan: 6 }, ...opened(row))))
    })
    return made
  }
  const grow = upto => {
    body.append(...chosen.slice(shown, upto).map(line))
    shown = Math.min(upto, chosen.length)
    more.hidden = shown === chosen.length
    more.textContent = `Show ${Math.min(PAGE, chosen.length - shown)} more`
  }
  const update = () => {
    const wanted = search.value.trim().toLowerCase(), flag = kind.selectedIndex - 1
    chosen = all.filter(row => (flag < 0 || row.flags.includes(flag)) && row.text.includes(wanted))
    const [value, sign] = ORDERS[order.value]
    chosen.sort((a, b) => sign * (value(a) - value(b)) || a.number - b.number)
    body.replaceChildren()
    shown = 0
    grow(PAGE)
    count.textContent = `${chosen.length.toLocaleString('en')} of ${all.length.toLocaleString('en')} sentences`
    for (const [name, orders] of Object.entries(HEADS)) {
      const at = orders.indexOf(order.value)
      const head = section.querySelector(`th[data-head=${name}]`)
      if (at < 0) head.removeAttribute('aria-sort')
      else head.setAttribute('aria-sort', at === 1 && name !== 'number' ? 'descending' : 'ascending')
    }
  }
  for (const [name, [up, down]] of Object.entries(HEADS))
    section.querySelector(`th[data-head=${name}] button`).addEventListener('click', () => {
      order.value = order.value === up ? down : up
      update()
    })
  search.addEventListener('input', update)
  kind.addEventListener('change', update)
  order.addEventListener('change', update)
  shade.addEventListener('change', () => table.classList.toggle('shaded', shade.checked))
  more.addEventListener('click', () => grow(shown + PAGE))
  section.querySelector('form').addEventListener('submit', event => event.preventDefault())
  section.hidden = false
  update()
}
