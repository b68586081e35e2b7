/** The first numbers: those that came with the page, before the modules are here that keep them alive. */

import { Cards } from "./cards.js";
import { readCatalogue } from "./catalogue.js";
import { isKept } from "./kept.js";
import { Preferences, openStorage } from "./preferences.js";

export const catalogue = readCatalogue(document);
export const preferences = new Preferences(catalogue, openStorage(), new URLSearchParams(location.search));
export const cards = new Cards(document, catalogue.metrics);

// Rendering waits for this module: neither the theme nor the kiosk's size of type ever flashes.
const { dataset } = document.documentElement;
[dataset.theme, dataset.profit] = [preferences.theme, preferences.profit];
if (preferences.isKiosk) dataset.kiosk = "";
// Grey, and CONNECTING, until page.js knows their age; what a kept page brought is older than what it kept beside it.
if (catalogue.latest && !isKept(document)) cards.show(catalogue.latest, catalogue.served);
