import { join } from 'node:path'
import { storeOf } from 'siltstone/level'
import { describe, expect, it, vi } from 'vitest'
import { exchange, type Notes, openNotes } from '../../docs/examples/yjs/notes.mjs'
import { SeededRandom } from '../simulation/seeded-random.js'
import { inDirectory, run } from './programs.js'

async function textOf(notes: Notes, name: string): Promise<string> {
  const { doc } = await notes.open(name)
  return doc.getText('text').toString()
}

describe('Yjs documents', () => {
  it('come together, whoever wrote what while apart, and stay so on disk', () =>
    inDirectory(async (directory) => {
      const random = new SeededRandom(3)
      let homes = await Promise.all(['ada', 'bob', 'cleo'].map((who) => openNotes(join(directory, who))))
      const written: string[] = []
      for (let round = 0; round < 5; round++) {
        for (const home of homes) {
          const { doc, saved } = await home.open('list')
          const text = doc.getText('text')
          for (let i = 0; i < 3; i++) {
            const word = `<${written.length}>`
            written.push(word)
            text.insert(random.between(0, text.length), word)
          }
          await saved()
        }
        const [here, there] = random.chance(0.5) ? [0, 1] : [1, 2]
        await exchange('list', homes[here]!, homes[there]!)
      }
      await exchange('list', homes[0]!, homes[1]!)
      await exchange('list', homes[1]!, homes[2]!)
      await exchange('list', homes[0]!, homes[1]!)
      const together = await textOf(homes[0]!, 'list')
      // Words are written into words, so what is left of all of them is their characters.
      expect([...together].sort().join('')).toBe([...written.join('')].sort().join(''))
      await Promise.all(homes.map((home) => home.close()))
      homes = await Promise.all(['ada', 'bob', 'cleo'].map((who) => openNotes(join(directory, who))))
      for (const home of homes) {
        expect(await textOf(home, 'list')).toBe(together)
        expect(await home.names()).toEqual(['list'])
        await home.close()
      }
    }))

  it('have every line of which it was said that it is on disk, after their process was killed', () =>
    inDirectory(async (directory) => {
      const lines = Array.from({ length: 60 }, (_, i) => `line ${i}`)
      const { lines: said } = await run('yjs/notepad.mjs', ['./notes', 'diary', ...lines], directory, (_, sofar) =>
        sofar.length === 40 ? 'kill' : undefined,
      )
      expect(said.length).toBeGreaterThanOrEqual(40)
      const notes = await openNotes(join(directory, 'notes'))
      const kept = (await textOf(notes, 'diary')).trim().split('\n')
      await notes.close()
      expect(kept).toEqual(lines.slice(0, kept.length))
      expect(kept.length).toBeGreaterThanOrEqual(said.length)
      expect((await run('yjs/notepad.mjs', ['./notes', 'diary', 'the end'], directory)).lines).toEqual(['the end'])
      expect((await run('yjs/notepad.mjs', ['./notes', 'diary'], directory)).lines).toEqual([...kept, 'the end'])
    }))

  it('are on disk when they say so, not only written', () =>
    inDirectory(async (directory) => {
      const notes = await openNotes(join(directory, 'notes'))
      const { doc, saved } = await notes.open('diary')
      for (let i = 0; i < 3; i++) {
        doc.getText('text').insert(0, 'a word ')
        await saved()
        const snapshot = storeOf(notes.level as never).snapshot()
        snapshot.close()
        expect(storeOf(notes.level as never).stats().log.syncedPosition).toBe(snapshot.position)
      }
      await notes.close()
    }))

  it('do not pass over in silence what y-leveldb only warns of', () =>
    inDirectory(async (directory) => {
      const warning = vi.spyOn(console, 'warn').mockImplementation(() => {})
      const notes = await openNotes(join(directory, 'notes'))
      await expect(openNotes(join(directory, 'notes'))).rejects.toMatchObject({
        code: 'LEVEL_DATABASE_NOT_OPEN',
        cause: { code: 'LEVEL_LOCKED' },
      })
      const { doc, saved } = await notes.open('diary')
      await notes.close()
      doc.getText('text').insert(0, 'too late')
      await expect(saved()).rejects.toThrow('Could not keep diary')
      await expect(notes.open('diary')).rejects.toThrow('Could not read diary')
      expect(warning).toHaveBeenCalled()
      warning.mockRestore()
    }))

  it('are shown by a train without network', () =>
    inDirectory(async (directory) => {
      const { status, lines, errors } = await run('yjs/train.mjs', [], directory)
      expect({ status, errors }).toEqual({ status: 0, errors: '' })
      expect(lines.slice(-4)).toEqual([
        'on the train, ada      bread · oat milk · cheese · apples',
        'at home, bob           milk · goat cheese',
        'in the evening, ada    oat milk · goat cheese · apples',
        'bob                    oat milk · goat cheese · apples',
      ])
    }))
})
