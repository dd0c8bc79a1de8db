/** The scripted server in a process of its own: `node server-program.js BEHAVIOUR` (JSON). Prints its port; ends with its standard input. */
import { startScriptedServer } from '../src/engines/openai/scripted-server.js';
import { scripted, type Behaviour } from './server-behaviour.js';

const behaviour = JSON.parse(process.argv[2] ?? '{}') as Behaviour;
const { options, work } = scripted(behaviour);
const server = await startScriptedServer(options);
process.stdout.write(`port ${server.port}\n`);
process.stdin.on('data', () => process.stdout.write(`figures ${work.taken} ${work.milliseconds} ${server.mostInFlight()}\n`));
process.stdin.on('end', () => process.exit(0));
