// Below each chart of curves, the values under the pointer or finger; the arrow keys move along the curve.
'use strict'
for (const svg of document.querySelectorAll('svg.chart:has(path[data-points])')) {
  const pairs = (text, between) => text.split(between).map(pair => pair.split(' ').map(Number))
  const lines = [...svg.querySelectorAll('path[data-points]')].map(({ dataset, attributes }) => {
    const places = pairs(attributes.d.value.slice(1), 'L')
    return { label: dataset.label, points: pairs(dataset.points, ',').map(([x, y], i) => ({ at: places[i][0], x, y })) }
  })
  const stops = [...new Set(lines.flatMap(line => line.points.map(p => p.at)))].sort((a, b) => a - b)
  const nearest = (list, at) => list.reduce((a, b) => Math.abs(b - at) < Math.abs(a - at) ? b : a)
  const short = number => number.toLocaleString('en', { maximumSignificantDigits: 4 })
  const reading = document.createElement('output')
  reading.className = 'reading'
  svg.after(reading)
  let here = stops[stops.length - 1]
  const show = at => {
    here = nearest(stops, at)
    const points = lines.map(({ points }) => points.reduce((a, b) => Math.abs(b.at - here) < Math.abs(a.at - here) ? b : a))
    const values = points.map((point, i) => `${lines[i].label} ${short(point.y)}`)
    reading.textContent = `at ${points.find(point => point.at === here).x.toLocaleString('en')}: ${values.join(', ')}`
  }
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect()
    show((event.clientX - box.left) / box.width * svg.viewBox.baseVal.width)
  })
  svg.tabIndex = 0
  svg.addEventListener('keydown', event => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (move) show(stops[Math.min(Math.max(stops.indexOf(here) + move, 0), stops.length - 1)])
  })
}
