#!/usr/bin/env node
/** The entry of the `rxnf` command. */
import { main } from './program.ts';

process.exitCode = await main(process.argv.slice(2));
