/*
 * HOT: a function of the path that each bundle takes. The linker puts these side by side; scattered
 * over the program they crowd each other out of the processor's cache of decoded instructions: an
 * unlucky build was then a fifth slower than a lucky one at forwarding a bundle. For public
 * functions whose figure `owlt bench` shows.
 */
#ifndef OWLT_BASE_HOT_H
#define OWLT_BASE_HOT_H

#define HOT __attribute__((hot))

#endif
