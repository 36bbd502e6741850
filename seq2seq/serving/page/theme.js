// Before the first paint: the colours chosen at an earlier visit; without a choice the system's.
'use strict'
try {
  const dark = JSON.parse(localStorage.getItem('seq2seq.dark'))
  if (typeof dark === 'boolean') document.documentElement.dataset.theme = dark ? 'dark' : 'light'
} catch { /* storage is forbidden here */ }
