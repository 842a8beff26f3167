// Ada is on a train without network, Bob at home. Both write in the same list: node docs/examples/yjs/train.mjs
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exchange, openNotes } from './notes.mjs'

const NAME = 'shopping'
const directory = mkdtempSync(join(tmpdir(), 'siltstone-yjs-'))

async function write(notes, edit) {
  const { doc, saved } = await notes.open(NAME)
  edit(doc.getText('text'))
  await saved()
}

async function show(who, notes) {
  const { doc } = await notes.open(NAME)
  const lines = doc.getText('text').toString().trim().split('\n')
  console.log(`${who.padEnd(22)} ${lines.join(' · ')}`)
}

const at = (text, words) => text.toString().indexOf(words)

try {
  let ada = await openNotes(join(directory, 'ada'))
  const bob = await openNotes(join(directory, 'bob'))

  await write(ada, (text) => text.insert(0, 'bread\nmilk\ncheese\n'))
  await exchange(NAME, ada, bob)
  await show('in the morning, ada', ada)
  await show('bob', bob)

  await write(ada, (text) => text.insert(at(text, 'milk'), 'oat '))
  await write(ada, (text) => text.insert(text.length, 'apples\n'))
  await write(bob, (text) => text.delete(at(text, 'bread\n'), 'bread\n'.length))
  await write(bob, (text) => text.insert(at(text, 'cheese'), 'goat '))
  await show('on the train, ada', ada)
  await show('at home, bob', bob)

  // Her battery is empty; what she wrote is on disk.
  await ada.close()
  ada = await openNotes(join(directory, 'ada'))

  await exchange(NAME, ada, bob)
  await show('in the evening, ada', ada)
  await show('bob', bob)

  await Promise.all([ada.close(), bob.close()])
} finally {
  rmSync(directory, { recursive: true })
}
