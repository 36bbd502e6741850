// Where translations come from: the server that this page is from.
export class Refused extends Error {
  // wait: seconds until it may be asked again; null: asking again would not help.
  constructor(message, wait = null) {
    super(message)
    this.wait = wait
  }
}

const ask = async (path, options) => {
  let response
  try {
    response = await fetch(path, options)
  } catch (error) {
    throw error.name === 'AbortError' ? error : new Refused('The server cannot be reached; trying again.', 3)
  }
  const answer = await response.json().catch(() => ({}))
  if (response.ok) return answer
  const wait = response.headers.get('Retry-After')
  throw new Refused(answer.error ?? `The server answers with status ${response.status}`, wait && Number(wait))
}

// [{code, name, targets}]
export const languages = () => ask('languages')

// {charLimit, keyRequired}
export const settings = () => ask('frontend/settings')

// {translatedText, alternatives, alignment, wordConfidences} of {q, source, target, api_key}
export const translate = (asked, signal) => ask('translate', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ ...asked, alternatives: 3, alignment: true, confidence: true }),
  signal,
})
