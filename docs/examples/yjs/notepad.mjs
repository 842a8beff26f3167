// Writes lines into a note. Each line on the standard output is on disk.
//
//   node docs/examples/yjs/notepad.mjs ./notes shopping "bread" "two lemons"
import { openNotes } from './notes.mjs'

const [directory, name, ...lines] = process.argv.slice(2)
if (name === undefined) {
  console.log('notepad.mjs DIRECTORY NOTE [LINE…]')
} else {
  const notes = await openNotes(directory)
  const { doc, saved } = await notes.open(name)
  const text = doc.getText('text')
  for (const line of lines) {
    text.insert(text.length, `${line}\n`)
    await saved()
    console.log(line)
  }
  if (lines.length === 0) process.stdout.write(text.toString())
  await notes.close()
}
