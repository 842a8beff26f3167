// Looks for something to eat:
//
//   node docs/examples/search/cook.mjs import docs/examples/search/recipes.jsonl
//   node docs/examples/search/cook.mjs apple pan*
//   node docs/examples/search/cook.mjs onion --tag soup
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { openCookbook } from './cookbook.mjs'

const USAGE = `cook.mjs [--store DIRECTORY] WORDS… [--tag TAG]   recipes with all of the words; pan* for any that begins so
cook.mjs import FILE        recipes from a file, one line of JSON for each: { id, title, ingredients, text, tags }
cook.mjs complete START     the words that begin so
cook.mjs remove ID`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { store: { type: 'string', default: './cookbook' }, tag: { type: 'string' } },
})
const [command, argument] = positionals

async function importFrom(cookbook, file) {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { id, ...recipe } = JSON.parse(line)
    await cookbook.save(id, recipe)
    console.log(id)
  }
  await cookbook.update()
}

async function search(cookbook, text) {
  const { tag } = values
  const found = await cookbook.search(text, tag === undefined ? {} : { tag })
  if (found.length === 0) console.log('nothing to eat')
  for (const { id, title, ingredients = [], tags = [] } of found) {
    console.log(`${title} (${id})${tags.map((each) => ` #${each}`).join('')}`)
    console.log(`  ${ingredients.join(', ')}`)
  }
}

if (command === undefined) {
  console.log(USAGE)
} else {
  const cookbook = await openCookbook(values.store)
  if (command === 'import') await importFrom(cookbook, argument)
  else if (command === 'complete') console.log((await cookbook.complete(argument)).join(' '))
  else if (command === 'remove') await cookbook.remove(argument)
  else await search(cookbook, positionals.join(' '))
  await cookbook.close()
}
