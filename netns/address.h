/*
 * address: who has which number in a lab. Link k has network 10.(k/250+1).(k%250).0/24, side a is .1,
 * side b is .2; MAC addresses are 02:00, the link's number, and the side.
 */
#ifndef OWLT_NETNS_ADDRESS_H
#define OWLT_NETNS_ADDRESS_H

#include <stdint.h>

#define LAB_UDP_PORT 4556u
#define LAB_PREFIX 24u

enum side { SIDE_A, SIDE_B };

static inline uint32_t address_ip(unsigned link, enum side side)
{
	return 10u << 24 | (link / 250 + 1) << 16 | link % 250 << 8 | (side == SIDE_A ? 1u : 2u);
}

static inline void address_mac(unsigned link, enum side side, uint8_t mac[6])
{
	mac[0] = 2;
	mac[1] = 0;
	mac[2] = (uint8_t)(link >> 16);
	mac[3] = (uint8_t)(link >> 8);
	mac[4] = (uint8_t)link;
	mac[5] = side == SIDE_A ? 1 : 2;
}

#endif
