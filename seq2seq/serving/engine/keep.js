// A service worker: what has been visited once opens without a network. `FILES`, written above these lines, has the
// SHA-256 of each file; a changed file changes this script, whereby the browser sees that there is something new.
const root = new URL('./', self.location)
const place = `seq2seq ${root.pathname}` // of this page alone: other pages of the site may keep things too
const key = name => `${new URL(name, root)}?${FILES[name]}`

const sha256 = async content => Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', content)),
  byte => byte.toString(16).padStart(2, '0')).join('')

const fetched = async name => {
  const { body, headers } = await fetch(new URL(name, root), { cache: 'no-cache' })
  const content = await new Response(body).arrayBuffer()
  if (await sha256(content) !== FILES[name]) throw new Error(`${name} is of another version`) // the next visit tries again
  return new Response(content, { headers })
}

// A newer version takes only what has changed, and its turn comes when no window shows the older one.
self.addEventListener('install', event => event.waitUntil((async () => {
  const kept = await caches.open(place)
  for (const name of Object.keys(FILES)) if (!await kept.match(key(name))) await kept.put(key(name), await fetched(name))
})()))

self.addEventListener('activate', event => event.waitUntil((async () => {
  const kept = await caches.open(place)
  const needed = new Set(Object.keys(FILES).map(key))
  for (const request of await kept.keys()) if (!needed.has(request.url)) await kept.delete(request)
})()))

self.addEventListener('fetch', event => {
  const { origin, pathname } = new URL(event.request.url)
  if (origin !== root.origin || !pathname.startsWith(root.pathname)) return
  const name = pathname.slice(root.pathname.length) || 'index.html'
  if (!Object.hasOwn(FILES, name)) return
  event.respondWith(caches.open(place).then(kept => kept.match(key(name))).then(found => found ?? fetch(event.request)))
})
